-- A queue that is resumed may have due jobs, and nobody else would say so.
with put as (
  insert into {p}queues (name, paused)
  values (CAST(:name AS text), CAST(:paused AS integer) = 1)
  on conflict (name) do update
  set paused = excluded.paused
)
select CAST(pg_notify({channel}, '') AS text)
