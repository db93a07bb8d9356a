insert into {p}queues (name, paused)
values (CAST(:name AS text), CAST(:paused AS integer))
on conflict (name) do update
set paused = excluded.paused
