with asked as (
  select CAST(value AS uuid) as id
  from json_array_elements_text(CAST(:ids AS json)) as value
),
waiting as (
  delete from {p}jobs
  where id in (select id from asked) and stage < 2
  returning id
),
finished as (
  delete from {p}history
  where id in (select id from asked)
  returning id
),
gone as (
  select id from waiting
  union all
  select id from finished
),
freed as (
  delete from {p}given_ids
  where id in (select id from gone)
)
select CAST(id AS text)
from gone
