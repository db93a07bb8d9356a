delete from {p}workers
where id = unhex(:id)
