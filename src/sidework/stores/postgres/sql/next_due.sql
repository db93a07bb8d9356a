-- Asked after an empty claim: do other claimers hold what is due for us, and when is the next job due?
with recursive {wanted}
select
  exists (select from wanted),
  (select min(run_at) - {now} from {p}jobs where stage = 0)
