-- A lane is a queue and a task that have due jobs. jobs_due keeps each lane in starting order, so the claim never walks
-- over jobs that are not due, tasks that this worker does not know, or paused queues:
-- `lanes` hops from lane to lane (a loose index scan), `wanted` keeps ours. With several, `peeked` reads the head of each
-- without locking and `quota` says how many of the best belong to each lane; with one it is the limit.
-- `picked` then locks that many in each lane, passing over what other claimers hold. It is met as an array, because the
-- planner takes a limit that it cannot see for a tenth of the lane, and would read all jobs to join them.
with recursive {wanted},
peeked as (
  select wanted.queue, wanted.task
  from wanted
  cross join lateral (
    select priority, run_at, seq
    from {p}jobs
    where stage = 1
      and queue = wanted.queue
      and task = wanted.task
    order by priority desc, run_at, seq
    limit CAST(:limit AS bigint)
  ) as head
  where (select count(*) from wanted) > 1
  order by wanted.place, head.priority desc, head.run_at, head.seq
  limit CAST(:limit AS bigint)
),
quota as (
  select queue, task, count(*) as jobs
  from peeked
  group by queue, task
  union all
  select queue, task, CAST(:limit AS bigint)
  from wanted
  where (select count(*) from wanted) = 1
),
picked as (
  select job.id, wanted.max_crashes, wanted.place
  from quota
  join wanted on wanted.queue = quota.queue and wanted.task = quota.task
  cross join lateral (
    select id
    from {p}jobs
    where stage = 1
      and queue = quota.queue
      and task = quota.task
    order by priority desc, run_at, seq
    limit quota.jobs
    for update skip locked
  ) as job
)
update {p}jobs as j
set stage = 2,
  attempt = j.attempt + 1,
  worker = CAST(:worker AS text),
  token = nextval('{p}tokens'),
  started_at = {now},
  max_crashes = picked.max_crashes
from picked
where j.id = any (array(select id from picked))
  and j.id = picked.id
returning {job}, picked.place, j.seq
