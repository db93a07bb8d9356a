delete from {p}jobs
where id in (select value from json_each(CAST(:ids AS text)))
  and stage < 2
returning id
