select CAST(c.id AS text), c.token
from {p}cancellations as c
join {p}jobs as j on j.id = c.id and j.token = c.token
where j.stage = 2
  and j.worker = CAST(:id AS text)
