(
  select [n], place_rank, run_at, seq
  from {p}jobs force index (jobs_due)
  where stage = 1
    and queue = unhex(:queue[n])
    and task = unhex(:task[n])
  order by place_rank, run_at, seq
  limit :limit
)
