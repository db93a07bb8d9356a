insert into {p}workers (id, host, pid, queues, tasks, concurrency, started_at, beat_at, lease_until)
values (
  unhex(:id), convert(unhex(:host) using utf8mb4), :pid, :queues, :tasks, :concurrency, {now}, {now}, {now} + :lease
)
on duplicate key update pid = pid
