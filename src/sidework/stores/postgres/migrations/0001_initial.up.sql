-- Times are microseconds since 1970 in UTC (bigint), the same on the three databases; `overview` shows them as timestamps.
create schema if not exists {schema};

create table {p}migrations (
  version integer primary key,
  name text not null,
  applied_at timestamptz not null default now()
);

-- Fencing tokens: one for every attempt ever made, never used twice.
create sequence {p}tokens as bigint;

-- Unfinished jobs. stage: 0 waits for its due time, 1 is due, 2 runs.
create table {p}jobs (
  id uuid primary key,
  seq bigint generated always as identity,
  queue text collate "C" not null,
  task text collate "C" not null,
  payload text not null,
  stage smallint not null,
  priority integer not null,
  run_at bigint not null,
  enqueued_at bigint not null,
  started_at bigint,
  attempt integer not null default 0,
  max_attempts integer,
  crashes integer not null default 0,
  max_crashes integer,
  worker text collate "C",
  token bigint,
  errors text,
  tags text,
  constraint jobs_stage check (stage in (0, 1, 2)),
  constraint jobs_running check ((stage = 2) = (token is not null) and (stage = 2) = (worker is not null))
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create index jobs_due on {p}jobs (queue, task, priority desc, run_at, seq) where stage = 1;

create index jobs_later on {p}jobs (run_at) where stage = 0;

create index jobs_running on {p}jobs (worker) where stage = 2;

-- Finished jobs.
create table {p}history (
  id uuid primary key,
  queue text collate "C" not null,
  task text collate "C" not null,
  payload text not null,
  state text collate "C" not null,
  priority integer not null,
  run_at bigint not null,
  enqueued_at bigint not null,
  started_at bigint,
  finished_at bigint not null,
  attempt integer not null,
  max_attempts integer,
  crashes integer not null,
  max_crashes integer,
  worker text collate "C",
  token bigint,
  errors text,
  result text,
  tags text,
  progress text,
  constraint history_state check (state in ('done', 'failed', 'cancelled'))
);

create index history_finished on {p}history (state, finished_at);

-- Ids that callers chose, for as long as their jobs are kept: the guard against storing one twice.
create table {p}given_ids (
  id uuid primary key
);

-- Requests to stop a running attempt, and what attempts report: apart, because a transactional handler may hold its job's row.
create table {p}cancellations (
  id uuid primary key,
  token bigint not null,
  requested_at bigint not null
);

create table {p}progress (
  id uuid primary key,
  token bigint not null,
  note text not null,
  noted_at bigint not null
);

create table {p}workers (
  id text collate "C" primary key,
  host text not null,
  pid integer not null,
  queues text,
  tasks text not null,
  concurrency integer not null,
  started_at bigint not null,
  beat_at bigint not null,
  lease_until bigint not null
);

create table {p}queues (
  name text collate "C" primary key,
  paused boolean not null default false
);

create view {p}overview as
select id, task, queue,
  case stage when 2 then 'running' else 'waiting' end as state,
  priority, attempt, max_attempts, crashes, worker,
  timestamptz 'epoch' + run_at * interval '1 microsecond' as run_at,
  timestamptz 'epoch' + enqueued_at * interval '1 microsecond' as enqueued_at,
  timestamptz 'epoch' + started_at * interval '1 microsecond' as started_at,
  CAST(null AS timestamptz) as finished_at,
  payload, errors, CAST(null AS text) as result
from {p}jobs
union all
select id, task, queue, state, priority, attempt, max_attempts, crashes, worker,
  timestamptz 'epoch' + run_at * interval '1 microsecond',
  timestamptz 'epoch' + enqueued_at * interval '1 microsecond',
  timestamptz 'epoch' + started_at * interval '1 microsecond',
  timestamptz 'epoch' + finished_at * interval '1 microsecond',
  payload, errors, result
from {p}history;
