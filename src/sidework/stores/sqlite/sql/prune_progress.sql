delete from {p}progress
where not exists (select 1 from {p}jobs as j where j.id = {p}progress.id and j.token = {p}progress.token)
