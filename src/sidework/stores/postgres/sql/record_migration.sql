insert into {p}migrations (version, name)
values (CAST(:version AS integer), CAST(:name AS text))
