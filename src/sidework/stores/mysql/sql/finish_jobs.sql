-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
replace into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, result, tags, progress
)
select
  j.id, j.queue, j.task, j.payload, s.state, -j.place_rank, j.run_at, j.enqueued_at, j.started_at, {now},
  s.attempt, j.max_attempts, s.crashes, j.max_crashes, j.worker, j.token, s.errors, s.result, j.tags, s.progress
from json_table(convert(:settlements using utf8mb4), '$[*]' columns (
  id char(36) character set ascii path '$.id',
  state varchar(9) character set ascii path '$.state',
  attempt integer path '$.attempt',
  crashes integer path '$.crashes',
  errors longtext character set utf8mb4 path '$.errors',
  result longtext character set utf8mb4 path '$.result',
  progress longtext character set utf8mb4 path '$.progress'
)) as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
