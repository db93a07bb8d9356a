-- A lane is a queue and a task that have due jobs. jobs_due keeps each lane in starting order, so the claim never walks
-- over jobs that are not due, tasks that this worker does not know, or paused queues: `names` and `lanes` hop from one to
-- the next (a loose index scan), `wanted` keeps ours, and the heads of those are merged.
with recursive {wanted}
select j.seq, wanted.max_crashes
from wanted
cross join {p}jobs as j
where j.seq in (
  select head.seq
  from {p}jobs as head
  where head.stage = 1
    and head.queue = wanted.queue
    and head.task = wanted.task
  order by head.priority desc, head.run_at, head.seq
  limit CAST(:limit AS integer)
)
order by wanted.place, j.priority desc, j.run_at, j.seq
limit CAST(:limit AS integer)
