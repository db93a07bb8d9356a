-- What waited for its time and is due now becomes claimable.
update {numbers} as s
straight_join {p}jobs as j force index (primary) on j.seq = s.number
set j.stage = 1
