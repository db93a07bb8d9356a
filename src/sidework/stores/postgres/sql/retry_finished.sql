with gone as (
  delete from {p}history as h
  where h.id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
  returning *
),
stored as (
  insert into {p}jobs (
    id, queue, task, payload, stage, priority, run_at, enqueued_at, max_attempts, max_crashes, errors, tags
  )
  select id, queue, task, payload, 1, priority, {now}, enqueued_at, max_attempts, max_crashes, errors, tags
  from gone
  order by id
  returning id
),
told as (
  select pg_notify({channel}, '')
)
select CAST(stored.id AS text)
from stored cross join told
