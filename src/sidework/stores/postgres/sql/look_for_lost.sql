select exists (select from {p}workers where lease_until < {now})
  or exists (
    select from {p}jobs as j
    where j.stage = 2
      and not exists (select from {p}workers as w where w.id = j.worker)
  )
