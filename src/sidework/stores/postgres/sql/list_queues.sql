with counted as (
  select queue as name, count(*) filter (where stage < 2) as waiting, count(*) filter (where stage = 2) as running
  from {p}jobs
  group by queue
)
select coalesce(c.name, q.name), CAST(coalesce(q.paused, false) AS integer), coalesce(c.waiting, 0), coalesce(c.running, 0)
from counted as c
full join {p}queues as q on q.name = c.name
order by 1
