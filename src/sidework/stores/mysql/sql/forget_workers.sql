delete w
from {workers} as s
straight_join {p}workers as w force index (primary) on w.id = s.id
where not exists (select 1 from {p}jobs as j where j.worker = w.id)
