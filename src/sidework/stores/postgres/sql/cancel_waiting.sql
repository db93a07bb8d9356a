with gone as (
  delete from {p}jobs as j
  where j.id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
    and j.stage < 2
  returning *
)
-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
insert into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, tags
)
select
  id, queue, task, payload, 'cancelled', priority, run_at, enqueued_at, null, {now},
  attempt, max_attempts, crashes, max_crashes, null, null, errors, tags
from gone
on conflict (id) do update set (
  queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, result, tags, progress
) = (
  excluded.queue, excluded.task, excluded.payload, excluded.state, excluded.priority, excluded.run_at, excluded.enqueued_at,
  excluded.started_at, excluded.finished_at, excluded.attempt, excluded.max_attempts, excluded.crashes, excluded.max_crashes,
  excluded.worker, excluded.token, excluded.errors, excluded.result, excluded.tags, excluded.progress
)
returning CAST(id AS text)
