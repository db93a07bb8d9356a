with changed as (
  update {p}jobs
  set run_at = coalesce(CAST(:run_at AS bigint), run_at),
    stage = case when coalesce(CAST(:run_at AS bigint), run_at) <= {now} then 1 else 0 end,
    queue = coalesce(CAST(:queue AS text), queue),
    priority = coalesce(CAST(:priority AS integer), priority)
  where id = CAST(:id AS uuid)
    and stage < 2
  returning id
),
told as (
  select pg_notify({channel}, '')
)
select CAST(changed.id AS text)
from changed cross join told
