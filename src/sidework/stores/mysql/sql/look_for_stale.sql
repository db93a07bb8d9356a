-- Cancel requests, progress and markers of attempts that are over. Read without locks: a marker that is not committed yet
-- belongs to a handler at work, and is not to be waited for.
(
  select 'cancellations', c.id, c.token
  from {p}cancellations as c
  where not exists (select 1 from {p}jobs as j where j.id = c.id and j.token = c.token)
  limit 1000
)
union all
(
  select 'progress', n.id, n.token
  from {p}progress as n
  where not exists (select 1 from {p}jobs as j where j.id = n.id and j.token = n.token)
  limit 1000
)
union all
(
  select 'markers', m.id, m.token
  from {p}markers as m
  where not exists (select 1 from {p}jobs as j where j.id = m.id and j.token = m.token)
  limit 1000
)
