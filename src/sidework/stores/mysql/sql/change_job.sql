update {p}jobs
set run_at = coalesce(:run_at, run_at),
  stage = case when coalesce(:run_at, run_at) <= {now} then 1 else 0 end,
  queue = coalesce(unhex(:queue), queue),
  place_rank = coalesce(:place_rank, place_rank)
where id = :id
