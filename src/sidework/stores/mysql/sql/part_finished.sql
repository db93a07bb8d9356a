j.id, j.task, j.queue, CAST(j.payload AS binary), j.priority,
  j.state,
  j.attempt, j.max_attempts, j.crashes, j.max_crashes, j.run_at, j.enqueued_at, j.started_at,
  j.finished_at, j.worker, j.token, CAST(j.errors AS binary), CAST(j.result AS binary), CAST(j.tags AS binary)
