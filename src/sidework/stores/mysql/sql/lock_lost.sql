select {job}, {now}
from {attempts} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id and j.token = s.token
for update skip locked
