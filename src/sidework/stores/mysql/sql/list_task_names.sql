select distinct task
from {p}jobs
where stage < 2
order by task
