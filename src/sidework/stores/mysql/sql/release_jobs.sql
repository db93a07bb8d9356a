-- Running jobs that wait again: retried, snoozed, given back or rescued. Without a delay they keep the due time they had.
update json_table(convert(:settlements using utf8mb4), '$[*]' columns (
  id char(36) character set ascii path '$.id',
  delay bigint path '$.delay',
  attempt integer path '$.attempt',
  crashes integer path '$.crashes',
  errors longtext character set utf8mb4 path '$.errors'
)) as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
set j.stage = case when coalesce({now} + s.delay, j.run_at) <= {now} then 1 else 0 end,
  j.run_at = coalesce({now} + s.delay, j.run_at),
  j.attempt = s.attempt,
  j.crashes = s.crashes,
  j.errors = s.errors,
  j.worker = null,
  j.token = null,
  j.started_at = null
