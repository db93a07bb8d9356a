names (queue) as (
  select min(queue)
  from {p}jobs
  where stage = 1
  union all
  select (select min(j.queue) from {p}jobs as j where j.stage = 1 and j.queue > names.queue)
  from names
  where names.queue is not null
),
ordered (queue, place) as (
  select value, key
  from json_each(coalesce(CAST(:queues AS text), '[]'))
),
open_names (queue, place) as (
  select names.queue, coalesce(ordered.place, 0)
  from names
  left join ordered on ordered.queue = names.queue
  where names.queue is not null
    and (CAST(:queues AS text) is null or ordered.queue is not null)
    and not exists (select 1 from {p}queues as q where q.name = names.queue and q.paused)
    and exists (select 1 from {p}workers as w where w.id = CAST(:worker AS text) and w.lease_until > {now})
),
lanes (queue, place, task) as (
  select o.queue, o.place, (select min(j.task) from {p}jobs as j where j.stage = 1 and j.queue = o.queue)
  from open_names as o
  union all
  select lanes.queue, lanes.place,
    (select min(j.task) from {p}jobs as j where j.stage = 1 and j.queue = lanes.queue and j.task > lanes.task)
  from lanes
  where lanes.task is not null
),
wanted (queue, place, task, max_crashes) as (
  select lanes.queue, lanes.place, lanes.task, known.value
  from lanes
  join json_each(CAST(:tasks AS text)) as known on known.key = lanes.task
)
