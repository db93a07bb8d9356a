select names.name, coalesce(q.paused, 0), coalesce(counted.waiting, 0), coalesce(counted.running, 0)
from (
  select name from {p}queues
  union
  select distinct queue from {p}jobs
) as names
left join {p}queues as q on q.name = names.name
left join (
  select queue, sum(stage < 2) as waiting, sum(stage = 2) as running
  from {p}jobs
  group by queue
) as counted on counted.queue = names.name
order by 1
