delete j
from {ids} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
