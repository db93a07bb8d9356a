-- Jobs of the lapsed workers that we hold, and of workers that are not registered any more.
select {job}, {now}
from {p}jobs as j
where j.stage = 2
  and (
    j.worker in (select json_array_elements_text(CAST(:workers AS json)))
    or not exists (select from {p}workers as w where w.id = j.worker)
  )
order by j.started_at
limit CAST(:limit AS bigint)
for update of j skip locked
