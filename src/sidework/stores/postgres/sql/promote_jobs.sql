-- What waited for its time and is due now becomes claimable; no transaction id is used where there is none.
update {p}jobs as j
set stage = 1
from (
  select id
  from {p}jobs
  where stage = 0
    and run_at <= {now}
  order by run_at
  limit 1000
  for update skip locked
) as due
where j.id = due.id
