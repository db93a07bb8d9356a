insert into {p}progress (id, token, note, noted_at)
select s.id, s.token, s.note, {now}
from json_table(convert(:notes using utf8mb4), '$[*]' columns (
  id char(36) character set ascii path '$.id',
  token bigint path '$.token',
  note longtext character set utf8mb4 path '$.note'
)) as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id and j.token = s.token
on duplicate key update
  note = if({p}progress.token <= s.token, s.note, {p}progress.note),
  noted_at = if({p}progress.token <= s.token, {now}, {p}progress.noted_at),
  token = greatest({p}progress.token, s.token)
