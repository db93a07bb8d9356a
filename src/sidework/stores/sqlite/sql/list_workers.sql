select w.id, w.host, w.pid, w.queues, w.tasks, w.concurrency, w.started_at, w.beat_at, w.lease_until,
  (select count(*) from {p}jobs as j where j.stage = 2 and j.worker = w.id)
from {p}workers as w
order by w.id
