-- Fenced by the token: a job that was rescued, deleted or settled meanwhile matches nothing. The answer counts, not the
-- number of changed rows, which means another thing on each connection.
select j.id
from {attempts} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id and j.token = s.token
for update
