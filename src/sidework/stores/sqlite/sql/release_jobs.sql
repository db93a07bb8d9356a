-- Running jobs that wait again: retried, snoozed, given back or rescued. Without a delay they keep the due time they had.
update {p}jobs as j
set stage = case when coalesce(s.now + s.delay, j.run_at) <= s.now then 1 else 0 end,
  run_at = coalesce(s.now + s.delay, j.run_at),
  attempt = s.attempt,
  crashes = s.crashes,
  errors = s.errors,
  worker = null,
  token = null,
  started_at = null
from (
  select
    json_extract(value, '$.id') as id, json_extract(value, '$.token') as token, json_extract(value, '$.delay') as delay,
    json_extract(value, '$.attempt') as attempt, json_extract(value, '$.crashes') as crashes,
    json_extract(value, '$.errors') as errors, {now} as now
  from json_each(CAST(:settlements AS text))
) as s
where j.id = s.id
  and j.token = s.token
returning id
