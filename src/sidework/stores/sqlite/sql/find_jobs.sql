-- The two halves are filtered by the same conditions, composed from a fixed list of columns.
select *
from (
  select *
  from (
    select {job}, n.note, j.id as newest
    from {p}jobs as j
    left join {p}progress as n on n.id = j.id and n.token = j.token
    where [conditions]
    order by j.id desc
    limit coalesce(CAST(:limit AS integer), -1)
  )
  union all
  select *
  from (
    select {finished}, j.progress, j.id as newest
    from {p}history as j
    where [finished]
    order by j.id desc
    limit coalesce(CAST(:limit AS integer), -1)
  )
)
order by newest desc
limit coalesce(CAST(:limit AS integer), -1)
