insert into {p}workers (id, host, pid, queues, tasks, concurrency, started_at, beat_at, lease_until)
select CAST(:id AS text), CAST(:host AS text), CAST(:pid AS integer), CAST(:queues AS text), CAST(:tasks AS text),
  CAST(:concurrency AS integer), now, now, now + CAST(:lease AS integer)
from (select {now} as now) as clock
where true
on conflict (id) do nothing
