select count(*)
from {p}markers
where id = :id
  and token = :token
