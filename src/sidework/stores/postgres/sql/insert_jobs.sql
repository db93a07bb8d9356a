-- Stores a batch and tells sleeping workers; nextval runs in the order of the batch, so jobs of one due time start in it.
with batch as (
  select *
  from json_to_recordset(CAST(:jobs AS json)) as b(
    position integer, id uuid, queue text, task text, payload text, priority integer, run_at bigint, delay bigint,
    max_attempts integer, max_crashes integer, tags text
  )
),
clock as (
  select {now} as now
),
stored as (
  insert into {p}jobs (
    id, queue, task, payload, stage, priority, run_at, enqueued_at, max_attempts, max_crashes, tags
  )
  select
    id, queue, task, payload,
    case when coalesce(run_at, now + delay, now) <= now then 1 else 0 end,
    priority, coalesce(run_at, now + delay, now), now, max_attempts, max_crashes, tags
  from batch cross join clock
  order by position
  returning CAST(id AS text), run_at, enqueued_at
),
told as (
  select pg_notify({channel}, '')
)
select stored.*
from stored cross join told
