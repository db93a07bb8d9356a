delete from {p}workers
where id = CAST(:id AS text)
