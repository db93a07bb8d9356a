insert into {p}markers (id, token)
values (CAST(:id AS text), CAST(:token AS integer))
