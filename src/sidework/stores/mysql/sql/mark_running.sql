update json_table(convert(:jobs using utf8mb4), '$[*]' columns (
  seq bigint path '$.seq',
  max_crashes integer path '$.max_crashes'
)) as s
straight_join {p}jobs as j force index (primary) on j.seq = s.seq
set j.stage = 2,
  j.attempt = j.attempt + 1,
  j.worker = unhex(:worker),
  j.token = :token,
  j.started_at = :now,
  j.max_crashes = s.max_crashes
