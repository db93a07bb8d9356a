delete from {p}given_ids
where id in (select value from json_each(CAST(:ids AS text)))
