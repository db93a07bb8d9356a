insert into {p}migrations (version, name)
values (:version, :name)
