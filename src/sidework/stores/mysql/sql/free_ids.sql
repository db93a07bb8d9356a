delete g
from {ids} as s
straight_join {p}given_ids as g force index (primary) on g.id = s.id
