-- Running jobs that wait again: retried, snoozed, given back or rescued. Without a delay they keep the due time they had.
with settled as (
  select id, token, delay, attempt, crashes, errors, {now} as now
  from json_to_recordset(CAST(:settlements AS json)) as s(
    id uuid, token bigint, delay bigint, attempt integer, crashes integer, errors text
  )
)
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
returning CAST(j.id AS text)
