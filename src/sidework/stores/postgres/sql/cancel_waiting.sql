with gone as (
  delete from {p}jobs as j
  where j.id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
    and j.stage < 2
  returning *
)
insert into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, tags
)
select
  id, queue, task, payload, 'cancelled', priority, run_at, enqueued_at, null, {now},
  attempt, max_attempts, crashes, max_crashes, null, null, errors, tags
from gone
returning CAST(id AS text)
