-- Asked before an empty-handed worker would take the write lock: has a later job come due, is anything due for us,
-- and how long until the next one?
with recursive {wanted}
select
  exists (select 1 from {p}jobs where stage = 0 and run_at <= {now}),
  exists (select 1 from wanted),
  (select min(run_at) from {p}jobs where stage = 0) - {now}
