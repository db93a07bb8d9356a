insert into {p}migrations (version, name, applied_at)
values (CAST(:version AS integer), CAST(:name AS text), {now})
