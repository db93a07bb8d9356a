-- Cancel requests and progress of attempts that are over.
with stopped as (
  delete from {p}cancellations as c
  where not exists (select from {p}jobs as j where j.id = c.id and j.token = c.token)
)
delete from {p}progress as n
where not exists (select from {p}jobs as j where j.id = n.id and j.token = n.token)
