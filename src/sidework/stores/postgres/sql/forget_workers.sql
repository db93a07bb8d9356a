delete from {p}workers as w
where w.id in (select json_array_elements_text(CAST(:workers AS json)))
  and not exists (select from {p}jobs as j where j.stage = 2 and j.worker = w.id)
