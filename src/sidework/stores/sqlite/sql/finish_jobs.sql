-- Fenced by the token: a job that was rescued, deleted or settled meanwhile matches nothing and its id does not come back.
-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
insert or replace into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, result, tags, progress
)
select
  j.id, j.queue, j.task, j.payload, json_extract(s.value, '$.state'), j.priority, j.run_at, j.enqueued_at, j.started_at, {now},
  json_extract(s.value, '$.attempt'), j.max_attempts, json_extract(s.value, '$.crashes'), j.max_crashes, j.worker, j.token,
  json_extract(s.value, '$.errors'), json_extract(s.value, '$.result'), j.tags, json_extract(s.value, '$.progress')
from json_each(CAST(:settlements AS text)) as s
cross join {p}jobs as j
where j.id = json_extract(s.value, '$.id')
  and j.token = json_extract(s.value, '$.token')
returning id
