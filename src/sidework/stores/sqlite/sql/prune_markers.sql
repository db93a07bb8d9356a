delete from {p}markers
where not exists (select 1 from {p}jobs as j where j.id = {p}markers.id and j.token = {p}markers.token)
