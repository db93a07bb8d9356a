-- Waits for a transaction that is giving the same id; a row that comes back is an id that was free.
insert into {p}given_ids (id)
select CAST(value AS uuid)
from json_array_elements_text(CAST(:ids AS json)) as value
on conflict do nothing
returning CAST(id AS text)
