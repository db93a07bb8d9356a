with due as (
  update {p}jobs
  set stage = 1, run_at = least(run_at, {now})
  where id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)
    and stage = 0
  returning id
),
told as (
  select pg_notify({channel}, '')
)
select CAST(due.id AS text)
from due cross join told
