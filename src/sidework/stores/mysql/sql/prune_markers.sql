delete n
from {attempts} as s
straight_join {p}markers as n force index (primary) on n.id = s.id and n.token = s.token
