-- What waited for its time and is due now becomes claimable.
update {p}jobs
set stage = 1
where seq in (
  select seq
  from {p}jobs
  where stage = 0
    and run_at <= {now}
  order by run_at
  limit 1000
)
