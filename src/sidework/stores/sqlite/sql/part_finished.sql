j.id, j.task, j.queue, j.payload, j.priority, j.state,
  j.attempt, j.max_attempts, j.crashes, j.max_crashes, j.run_at, j.enqueued_at, j.started_at,
  j.finished_at, j.worker, j.token, j.errors, j.result, j.tags
