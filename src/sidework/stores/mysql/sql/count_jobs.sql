select j.queue, case j.stage when 2 then 'running' else 'waiting' end, count(*)
from {p}jobs as j
where [conditions]
group by 1, 2
union all
select j.queue, j.state, count(*)
from {p}history as j
where [finished]
group by 1, 2
