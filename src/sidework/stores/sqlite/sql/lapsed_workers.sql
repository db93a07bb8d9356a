select id
from {p}workers
where lease_until < {now}
order by lease_until
limit 20
