with old as (
  select id
  from {p}history
  where state = CAST(:state AS text)
    and finished_at < {now} - CAST(:age AS bigint)
  order by finished_at
  limit CAST(:limit AS bigint)
  for update skip locked
),
gone as (
  delete from {p}history
  where id in (select id from old)
  returning id
),
freed as (
  delete from {p}given_ids
  where id in (select id from gone)
)
select count(*) from gone
