-- Asked before the rescuer takes the write lock.
select exists (select 1 from {p}workers where lease_until < {now})
  or exists (
    select 1
    from {p}jobs as j
    where j.stage = 2
      and not exists (select 1 from {p}workers as w where w.id = j.worker)
  )
