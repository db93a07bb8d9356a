-- seq numbers the rows in the order of the batch, so jobs of one due time start in it. No ORDER BY: the array is read in its
-- order, and a sort would have to carry the payloads.
insert into {p}jobs (
  id, queue, task, payload, stage, place_rank, run_at, enqueued_at, max_attempts, max_crashes, tags
)
select
  b.id, b.queue, b.task, b.payload,
  case when coalesce(b.run_at, clock.now + b.delay, clock.now) <= clock.now then 1 else 0 end,
  -b.priority, coalesce(b.run_at, clock.now + b.delay, clock.now), clock.now, b.max_attempts, b.max_crashes, b.tags
from (select {now} as now) as clock
cross join json_table(convert(:jobs using utf8mb4), '$[*]' columns (
  id char(36) character set ascii path '$.id',
  queue varchar(100) character set utf8mb4 path '$.queue',
  task varchar(200) character set utf8mb4 path '$.task',
  payload longtext character set utf8mb4 path '$.payload',
  priority bigint path '$.priority',
  run_at bigint path '$.run_at',
  delay bigint path '$.delay',
  max_attempts integer path '$.max_attempts',
  max_crashes integer path '$.max_crashes',
  tags longtext character set utf8mb4 path '$.tags'
)) as b
