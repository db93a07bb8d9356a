update {p}workers
set beat_at = {now}, lease_until = {now} + CAST(:lease AS integer), tasks = CAST(:tasks AS text)
where id = CAST(:id AS text)
returning id
