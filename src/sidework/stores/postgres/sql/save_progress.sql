insert into {p}progress (id, token, note, noted_at)
select s.id, s.token, s.note, {now}
from json_to_recordset(CAST(:notes AS json)) as s(id uuid, token bigint, note text)
join {p}jobs as j on j.id = s.id and j.token = s.token
on conflict (id) do update
set token = excluded.token, note = excluded.note, noted_at = excluded.noted_at
where {p}progress.token <= excluded.token
