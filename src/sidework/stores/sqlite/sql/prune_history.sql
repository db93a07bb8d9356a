delete from {p}history
where id in (
  select id
  from {p}history
  where state = CAST(:state AS text)
    and finished_at < {now} - CAST(:age AS integer)
  order by finished_at
  limit CAST(:limit AS integer)
)
returning id
