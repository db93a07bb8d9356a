-- json_each answers in the order of the batch, so jobs of one due time start in it.
insert into {p}jobs (
  id, queue, task, payload, stage, priority, run_at, enqueued_at, max_attempts, max_crashes, tags
)
select
  json_extract(value, '$.id'), json_extract(value, '$.queue'), json_extract(value, '$.task'), json_extract(value, '$.payload'),
  case when coalesce(json_extract(value, '$.run_at'), now + json_extract(value, '$.delay'), now) <= now then 1 else 0 end,
  json_extract(value, '$.priority'),
  coalesce(json_extract(value, '$.run_at'), now + json_extract(value, '$.delay'), now),
  now, json_extract(value, '$.max_attempts'), json_extract(value, '$.max_crashes'), json_extract(value, '$.tags')
from (select {now} as now) as clock
cross join json_each(CAST(:jobs AS text)) as batch
order by batch.key
returning id, run_at, enqueued_at
