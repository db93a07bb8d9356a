-- A lane is a queue and a task that have due jobs. The inner query hops from lane to lane (a loose index scan, which MariaDB
-- finds only where the grouping names stage as well), so jobs that are not due cost nothing, and a lane costs two looks
-- however long it is. The last row is the clock, the next due time, and whether the worker's lease holds.
select lanes.queue, lanes.task, (
    select concat_ws(',', j.place_rank, j.run_at, j.seq)
    from {p}jobs as j force index (jobs_due)
    where j.stage = 1
      and j.queue = lanes.queue
      and j.task = lanes.task
    order by j.place_rank, j.run_at, j.seq
    limit 1
  ), null, null, null
from (
  select stage, queue, task
  from {p}jobs force index (jobs_due)
  where stage = 1
  group by stage, queue, task
) as lanes
where not exists (select 1 from {p}queues as q where q.name = lanes.queue and q.paused = 1)
union all
select null, null, null, clock.now,
  (select min(run_at) from {p}jobs force index (jobs_later) where stage = 0),
  (select count(*) from {p}workers as w where w.id = unhex(:worker) and w.lease_until > clock.now)
from (select {now} as now) as clock
