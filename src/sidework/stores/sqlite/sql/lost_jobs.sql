-- Jobs of the lapsed workers, and of workers that are not registered any more.
select {job}, {now}
from {p}jobs as j
where j.stage = 2
  and (
    j.worker in (select value from json_each(CAST(:workers AS text)))
    or not exists (select 1 from {p}workers as w where w.id = j.worker)
  )
order by j.started_at
limit CAST(:limit AS integer)
