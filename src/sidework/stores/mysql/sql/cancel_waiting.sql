-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
replace into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, tags
)
select
  j.id, j.queue, j.task, j.payload, 'cancelled', -j.place_rank, j.run_at, j.enqueued_at, null, {now},
  j.attempt, j.max_attempts, j.crashes, j.max_crashes, null, null, j.errors, j.tags
from {ids} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
