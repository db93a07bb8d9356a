update {ids} as s
straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
set j.stage = 1, j.run_at = least(j.run_at, {now})
where j.stage = 0
