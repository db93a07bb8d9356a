update {p}jobs
set stage = 1, run_at = min(run_at, {now})
where id in (select value from json_each(CAST(:ids AS text)))
  and stage = 0
returning id
