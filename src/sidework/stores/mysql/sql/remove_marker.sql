delete from {p}markers
where id = :id
  and token = :token
