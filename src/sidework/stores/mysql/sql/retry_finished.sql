insert into {p}jobs (
  id, queue, task, payload, stage, place_rank, run_at, enqueued_at, max_attempts, max_crashes, errors, tags
)
select j.id, j.queue, j.task, j.payload, 1, -j.priority, {now}, j.enqueued_at, j.max_attempts, j.max_crashes, j.errors, j.tags
from {ids} as s
straight_join {p}history as j force index (primary) on j.id = s.id
