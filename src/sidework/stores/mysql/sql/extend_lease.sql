update {p}workers
set beat_at = {now}, lease_until = {now} + :lease, tasks = :tasks
where id = unhex(:id)
