insert into {p}progress (id, token, note, noted_at)
select j.id, j.token, json_extract(s.value, '$.note'), {now}
from json_each(CAST(:notes AS text)) as s
cross join {p}jobs as j
where j.id = json_extract(s.value, '$.id')
  and j.token = json_extract(s.value, '$.token')
on conflict (id) do update
set token = excluded.token, note = excluded.note, noted_at = excluded.noted_at
where token <= excluded.token
