-- Running jobs that wait again: retried, snoozed, given back or rescued. Without a delay they keep the due time they had.
-- Sleeping workers are told where that is now: a worker that stops gives its jobs to the others.
with settled as (
  select id, token, delay, attempt, crashes, errors, {now} as now
  from json_to_recordset(CAST(:settlements AS json)) as s(
    id uuid, token bigint, delay bigint, attempt integer, crashes integer, errors text
  )
),
released as (
  update {p}jobs as j
  set stage = case when coalesce(s.now + s.delay, j.run_at) <= s.now then 1 else 0 end,
    run_at = coalesce(s.now + s.delay, j.run_at),
    attempt = s.attempt,
    crashes = s.crashes,
    errors = s.errors,
    worker = null,
    token = null,
    started_at = null
  from settled as s
  where j.id = any (array(select id from settled))
    and j.id = s.id
    and j.token = s.token
  returning j.id, j.stage
),
told as (
  select pg_notify({channel}, '')
  where exists (select from released where stage = 1)
)
select CAST(released.id AS text)
from released
left join told on true
