lanes as (
  (
    select queue, task
    from {p}jobs
    where stage = 1
    order by queue, task
    limit 1
  )
  union all
  select next.queue, next.task
  from lanes
  cross join lateral (
    select queue, task
    from {p}jobs
    where stage = 1
      and (queue, task) > (lanes.queue, lanes.task)
    order by queue, task
    limit 1
  ) as next
),
known as (
  select key as task, CAST(value AS integer) as max_crashes
  from json_each_text(CAST(:tasks AS json))
),
ordered as (
  select value as queue, ordinality as place
  from json_array_elements_text(CAST(:queues AS json)) with ordinality
),
wanted as materialized (
  select lanes.queue, lanes.task, known.max_crashes, coalesce(ordered.place, 0) as place
  from lanes
  join known on known.task = lanes.task
  left join ordered on ordered.queue = lanes.queue
  where (CAST(:queues AS text) is null or ordered.queue is not null)
    and not exists (select from {p}queues as q where q.name = lanes.queue and q.paused)
    and exists (select from {p}workers as w where w.id = CAST(:worker AS text) and w.lease_until > {now})
)
