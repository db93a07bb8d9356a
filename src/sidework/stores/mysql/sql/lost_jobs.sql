-- Jobs of the lapsed workers that we hold, and of workers that are not registered any more; locked in the next statement.
select j.id, j.token
from {p}jobs as j force index (jobs_running)
where j.worker is not null
  and (
    j.worker in (select s.id from {workers} as s)
    or not exists (select 1 from {p}workers as w where w.id = j.worker)
  )
order by j.started_at
limit :limit
