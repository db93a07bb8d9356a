-- Jobs whose ids were not given by their callers, and which a caller now means by them.
with asked as (
  select CAST(value AS uuid) as id
  from json_array_elements_text(CAST(:ids AS json)) as value
)
select CAST(id AS text) from {p}jobs where id in (select id from asked)
union all
select CAST(id AS text) from {p}history where id in (select id from asked)
