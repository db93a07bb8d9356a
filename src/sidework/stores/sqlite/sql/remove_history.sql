delete from {p}history
where id in (select value from json_each(CAST(:ids AS text)))
returning id
