-- Locked until the rescue commits, so that a late heartbeat waits and then learns that it came too late.
select id
from {p}workers force index (workers_lapsed)
where lease_until < {now}
order by lease_until
limit 20
for update skip locked
