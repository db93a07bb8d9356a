insert into {p}queues (name, paused)
values (CAST(:name AS text), CAST(:paused AS integer) = 1)
on conflict (name) do update
set paused = excluded.paused
