update {p}jobs
set stage = 1, run_at = least(run_at, {now})
where id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
  and stage = 0
returning CAST(id AS text)
