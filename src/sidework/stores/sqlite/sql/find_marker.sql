select count(*)
from {p}markers
where id = CAST(:id AS text)
  and token = CAST(:token AS integer)
