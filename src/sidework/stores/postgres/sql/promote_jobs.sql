-- What waited for its time and is due now becomes claimable; no transaction id is used where there is none.
-- As an array, whose length the planner cannot guess from the limit: a join would read all jobs to promote a few.
update {p}jobs
set stage = 1
where id = any (array(
  select id
  from {p}jobs
  where stage = 0
    and run_at <= {now}
  order by run_at
  limit 1000
  for update skip locked
))
