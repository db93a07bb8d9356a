select id
from {p}history force index (history_finished)
where state = :state
  and finished_at < {now} - :age
order by finished_at
limit :limit
for update skip locked
