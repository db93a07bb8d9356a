-- Jobs that were stored after the snapshot of the caller's transaction: only a locking read sees them.
(
  select {job}, null
  from {ids} as s
  straight_join {p}jobs as j force index (jobs_id) on j.id = s.id
  lock in share mode
)
union all
(
  select {finished}, CAST(j.progress AS binary)
  from {ids} as s
  straight_join {p}history as j force index (primary) on j.id = s.id
  lock in share mode
)
