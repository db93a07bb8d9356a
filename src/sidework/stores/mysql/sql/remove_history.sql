delete j
from {ids} as s
straight_join {p}history as j force index (primary) on j.id = s.id
