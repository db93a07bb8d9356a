insert into {p}cancellations (id, token, requested_at)
select j.id, j.token, {now}
from {ids} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
where j.stage = 2
on duplicate key update token = j.token, requested_at = {now}
