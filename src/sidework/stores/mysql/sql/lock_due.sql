select seq
from {p}jobs force index (jobs_later)
where stage = 0
  and run_at <= {now}
order by run_at
limit 1000
for update skip locked
