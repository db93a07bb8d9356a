insert into {p}tokens ()
values ()
