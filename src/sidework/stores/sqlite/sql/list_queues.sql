with counted as (
  select queue as name, sum(stage < 2) as waiting, sum(stage = 2) as running
  from {p}jobs
  group by queue
),
named as (
  select name from counted
  union
  select name from {p}queues
)
select named.name, coalesce(q.paused, 0), coalesce(c.waiting, 0), coalesce(c.running, 0)
from named
left join counted as c on c.name = named.name
left join {p}queues as q on q.name = named.name
order by 1
