-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
insert or replace into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, tags
)
select
  id, queue, task, payload, 'cancelled', priority, run_at, enqueued_at, null, {now},
  attempt, max_attempts, crashes, max_crashes, null, null, errors, tags
from {p}jobs
where id in (select value from json_each(CAST(:ids AS text)))
  and stage < 2
returning id
