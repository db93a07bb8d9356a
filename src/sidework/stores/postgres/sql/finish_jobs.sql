-- Fenced by the token: a job that was rescued, deleted or settled meanwhile matches nothing and its id does not come back.
-- The array keeps the planner from reading a small table whole, as a join with a batch of unknown size does.
with settled as (
  select *
  from json_to_recordset(CAST(:settlements AS json)) as s(
    id uuid, token bigint, state text, attempt integer, crashes integer, errors text, result text, progress text
  )
),
gone as (
  delete from {p}jobs as j
  using settled as s
  where j.id = any (array(select id from settled))
    and j.id = s.id
    and j.token = s.token
  returning
    j.id, j.queue, j.task, j.payload, s.state, j.priority, j.run_at, j.enqueued_at, j.started_at,
    s.attempt, j.max_attempts, s.crashes, j.max_crashes, j.worker, j.token, s.errors, s.result, j.tags, s.progress
)
-- An id that has finished before is settled anew: a duplicate must not hold up its batch.
insert into {p}history (
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, finished_at,
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, result, tags, progress
)
select
  id, queue, task, payload, state, priority, run_at, enqueued_at, started_at, {now},
  attempt, max_attempts, crashes, max_crashes, worker, token, errors, result, tags, progress
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
