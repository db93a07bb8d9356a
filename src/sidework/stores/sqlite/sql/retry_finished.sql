insert into {p}jobs (
  id, queue, task, payload, stage, priority, run_at, enqueued_at, max_attempts, max_crashes, errors, tags
)
select id, queue, task, payload, 1, priority, {now}, enqueued_at, max_attempts, max_crashes, errors, tags
from {p}history
where id in (select value from json_each(CAST(:ids AS text)))
order by id
returning id
