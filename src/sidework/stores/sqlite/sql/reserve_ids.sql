-- A row that comes back is an id that was free.
insert into {p}given_ids (id)
select value
from json_each(CAST(:ids AS text))
where true
on conflict do nothing
returning id
