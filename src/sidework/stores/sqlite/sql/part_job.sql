j.id, j.task, j.queue, j.payload, j.priority,
  case j.stage when 2 then 'running' else 'waiting' end,
  j.attempt, j.max_attempts, j.crashes, j.max_crashes, j.run_at, j.enqueued_at, j.started_at,
  null, j.worker, j.token, j.errors, null, j.tags
