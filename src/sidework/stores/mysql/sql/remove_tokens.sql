delete t
from {numbers} as s
straight_join {p}tokens as t force index (primary) on t.token = s.number
