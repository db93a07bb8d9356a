j.id, j.task, j.queue, CAST(j.payload AS binary), -j.place_rank,
  case j.stage when 2 then 'running' else 'waiting' end,
  j.attempt, j.max_attempts, j.crashes, j.max_crashes, j.run_at, j.enqueued_at, j.started_at,
  CAST(null AS signed), j.worker, j.token, CAST(j.errors AS binary), CAST(null AS binary), CAST(j.tags AS binary)
