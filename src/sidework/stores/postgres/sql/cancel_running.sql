insert into {p}cancellations (id, token, requested_at)
select j.id, j.token, {now}
from {p}jobs as j
where j.id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
  and j.stage = 2
on conflict (id) do update
set token = excluded.token, requested_at = excluded.requested_at
returning CAST(id AS text)
