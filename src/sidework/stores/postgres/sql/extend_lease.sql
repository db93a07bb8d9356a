-- The lease one way, requests to stop the other: a row without an id says only that the lease was extended.
-- The requests are few, so each looks its job up (as a subquery, lest the planner read all jobs instead).
with renewed as (
  update {p}workers
  set beat_at = {now}, lease_until = {now} + CAST(:lease AS bigint), tasks = CAST(:tasks AS text)
  where id = CAST(:id AS text)
  returning id
)
select CAST(asked.id AS text), asked.token
from renewed
left join (
  select c.id, c.token
  from {p}cancellations as c
  where (select j.worker from {p}jobs as j where j.id = c.id and j.token = c.token) = CAST(:id AS text)
) as asked on true
