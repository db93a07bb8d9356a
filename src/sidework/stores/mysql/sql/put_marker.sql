insert into {p}markers (id, token)
values (:id, :token)
