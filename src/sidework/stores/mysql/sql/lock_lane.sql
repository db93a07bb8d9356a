-- One lane a probe, in the order of its index: what is locked is what is claimed.
(
  select {job}, j.seq, last_insert_id()
  from {p}jobs as j force index (jobs_due)
  where j.stage = 1
    and j.queue = unhex(:queue[n])
    and j.task = unhex(:task[n])
  order by j.place_rank, j.run_at, j.seq
  limit :limit[n]
  for update skip locked
)
