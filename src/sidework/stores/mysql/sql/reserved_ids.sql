select s.id
from {ids} as s
straight_join {p}given_ids as g on g.id = s.id
where g.reservation = :reservation
