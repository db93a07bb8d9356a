select w.id, CAST(w.host AS binary), w.pid, CAST(w.queues AS binary), CAST(w.tasks AS binary), w.concurrency,
  w.started_at, w.beat_at, w.lease_until,
  (select count(*) from {p}jobs as j where j.worker = w.id)
from {p}workers as w
order by w.id
