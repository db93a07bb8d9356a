-- The two halves are filtered by the same conditions, composed from a fixed list of columns.
select *
from (
  (
    select {job}, n.note, j.id as newest
    from {p}jobs as j
    left join {p}progress as n on n.id = j.id and n.token = j.token
    where [conditions]
    order by j.id desc
    limit CAST(:limit AS bigint)
  )
  union all
  (
    select {finished}, j.progress, j.id as newest
    from {p}history as j
    where [finished]
    order by j.id desc
    limit CAST(:limit AS bigint)
  )
) as found
order by newest desc
limit CAST(:limit AS bigint)
