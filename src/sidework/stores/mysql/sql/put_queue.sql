insert into {p}queues (name, paused)
values (unhex(:name), :paused)
on duplicate key update paused = :paused
