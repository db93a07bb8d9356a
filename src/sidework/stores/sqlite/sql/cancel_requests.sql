select c.id, c.token
from {p}cancellations as c
join {p}jobs as j on j.id = c.id and j.token = c.token
where j.worker = CAST(:id AS text)
