-- The two halves are filtered by the same conditions, composed from a fixed list of columns. Each finds its ids first, so
-- that no sort carries payloads.
select {job}, CAST(n.note AS binary)
from (
  select j.id
  from {p}jobs as j
  where [conditions]
  order by j.id desc
  limit :limit
) as page
straight_join {p}jobs as j force index (jobs_id) on j.id = page.id
left join {p}progress as n on n.id = j.id and n.token = j.token
union all
select {finished}, CAST(j.progress AS binary)
from (
  select j.id
  from {p}history as j
  where [finished]
  order by j.id desc
  limit :limit
) as page
straight_join {p}history as j force index (primary) on j.id = page.id
