delete from {p}cancellations
where not exists (select 1 from {p}jobs as j where j.id = {p}cancellations.id and j.token = {p}cancellations.token)
