delete from {p}workers
where id in (select value from json_each(CAST(:workers AS text)))
  and not exists (select 1 from {p}jobs as j where j.stage = 2 and j.worker = {p}workers.id)
