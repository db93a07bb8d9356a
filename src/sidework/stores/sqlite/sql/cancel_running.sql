insert into {p}cancellations (id, token, requested_at)
select id, token, {now}
from {p}jobs
where id in (select value from json_each(CAST(:ids AS text)))
  and stage = 2
on conflict (id) do update
set token = excluded.token, requested_at = excluded.requested_at
returning id
