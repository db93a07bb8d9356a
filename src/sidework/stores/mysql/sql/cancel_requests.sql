-- One row at least for a worker that is registered: our own update has just locked it.
select requests.id, requests.token
from {p}workers as w
left join (
  select c.id, c.token, j.worker
  from {p}cancellations as c
  join {p}jobs as j on j.id = c.id and j.token = c.token
) as requests on requests.worker = w.id
where w.id = unhex(:id)
