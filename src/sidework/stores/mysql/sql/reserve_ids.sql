-- Waits for a transaction that is giving the same id, and leaves an id that is taken as it is.
insert into {p}given_ids (id, reservation)
select s.id, :reservation
from {ids} as s
on duplicate key update reservation = {p}given_ids.reservation
