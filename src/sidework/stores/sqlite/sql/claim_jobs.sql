-- `returning` knows no alias beside `from`, so the columns of part_job.sql stand here by their bare names.
update {p}jobs as j
set stage = 2,
  attempt = j.attempt + 1,
  worker = CAST(:worker AS text),
  token = CAST(:token AS integer),
  started_at = {now},
  max_crashes = picked.max_crashes
from (
  select json_extract(value, '$[0]') as seq, json_extract(value, '$[1]') as max_crashes
  from json_each(CAST(:picked AS text))
) as picked
where j.seq = picked.seq
returning id, task, queue, payload, priority, 'running', attempt, max_attempts, crashes, max_crashes, run_at, enqueued_at,
  started_at, null, worker, token, errors, null, tags, seq
