select
  exists (select 1 from {p}workers where lease_until < {now})
  or exists (
    select 1
    from (select distinct worker from {p}jobs where worker is not null) as j
    where not exists (select 1 from {p}workers as w where w.id = j.worker)
  )
