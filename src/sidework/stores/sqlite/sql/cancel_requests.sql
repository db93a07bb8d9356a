-- From the requests, of which there are few, to the jobs: never the other way, whatever the planner thinks.
select c.id, c.token
from {p}cancellations as c
cross join {p}jobs as j on j.id = c.id and j.token = c.token
where j.worker = CAST(:id AS text)
