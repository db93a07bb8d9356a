-- Jobs whose ids were not given by their callers, and which a caller now means by them.
select j.id from {ids} as s straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
union all
select j.id from {ids} as s straight_join {p}history as j force index (primary) on j.id = s.id
