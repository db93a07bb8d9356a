-- Times are microseconds since 1970 in UTC (integer), the same on the three databases; `overview` shows them as text.
-- strict: without it a column of integers takes the text 'high'.
create table {p}migrations (
  version integer primary key,
  name text not null,
  applied_at integer not null
) strict;

-- Fencing tokens: the last one given out; one for every batch of attempts ever made, never used twice.
create table {p}tokens (
  last integer not null
) strict;

insert into {p}tokens (last) values (0);

-- Unfinished jobs. stage: 0 waits for its due time, 1 is due, 2 runs.
-- autoincrement: without it the highest seq is given again once its job is gone, and a new job would start before older ones.
-- Texts of any length come last, so that reading the others does not walk through their pages.
create table {p}jobs (
  seq integer primary key autoincrement,
  id text not null unique,
  queue text not null,
  task text not null,
  stage integer not null,
  priority integer not null,
  run_at integer not null,
  enqueued_at integer not null,
  started_at integer,
  attempt integer not null default 0,
  max_attempts integer,
  crashes integer not null default 0,
  max_crashes integer,
  worker text,
  token integer,
  tags text,
  payload text not null,
  errors text,
  constraint jobs_stage check (stage in (0, 1, 2)),
  constraint jobs_running check ((stage = 2) = (token is not null) and (stage = 2) = (worker is not null))
) strict;

-- `stage` at the end, though it is one value: with it, looking at an index's head does not read the table.
create index {p}jobs_due on {p}jobs (queue, task, priority desc, run_at, seq, stage) where stage = 1;

create index {p}jobs_later on {p}jobs (run_at, stage) where stage = 0;

create index {p}jobs_running on {p}jobs (worker) where stage = 2;

-- Finished jobs.
create table {p}history (
  id text not null primary key,
  queue text not null,
  task text not null,
  state text not null,
  priority integer not null,
  run_at integer not null,
  enqueued_at integer not null,
  started_at integer,
  finished_at integer not null,
  attempt integer not null,
  max_attempts integer,
  crashes integer not null,
  max_crashes integer,
  worker text,
  token integer,
  tags text,
  payload text not null,
  errors text,
  result text,
  progress text,
  constraint history_state check (state in ('done', 'failed', 'cancelled'))
) strict;

create index {p}history_finished on {p}history (state, finished_at);

-- Ids that callers chose, for as long as their jobs are kept: the guard against storing one twice.
create table {p}given_ids (
  id text not null primary key
) strict, without rowid;

-- Requests to stop a running attempt, and what attempts report.
create table {p}cancellations (
  id text not null primary key,
  token integer not null,
  requested_at integer not null
) strict, without rowid;

create table {p}progress (
  id text not null primary key,
  token integer not null,
  note text not null,
  noted_at integer not null
) strict;

-- A row is committed only where a handler ended its transaction by itself, and then it is the proof.
create table {p}markers (
  id text not null,
  token integer not null,
  primary key (id, token)
) strict, without rowid;

create table {p}workers (
  id text not null primary key,
  host text not null,
  pid integer not null,
  queues text,
  tasks text not null,
  concurrency integer not null,
  started_at integer not null,
  beat_at integer not null,
  lease_until integer not null
) strict;

create table {p}queues (
  name text not null primary key,
  paused integer not null default 0
) strict;

create view {p}overview as
select id, task, queue,
  case stage when 2 then 'running' else 'waiting' end as state,
  priority, attempt, max_attempts, crashes, worker,
  datetime(run_at / 1000000, 'unixepoch') as run_at,
  datetime(enqueued_at / 1000000, 'unixepoch') as enqueued_at,
  datetime(started_at / 1000000, 'unixepoch') as started_at,
  null as finished_at,
  payload, errors, null as result
from {p}jobs
union all
select id, task, queue, state, priority, attempt, max_attempts, crashes, worker,
  datetime(run_at / 1000000, 'unixepoch'),
  datetime(enqueued_at / 1000000, 'unixepoch'),
  datetime(started_at / 1000000, 'unixepoch'),
  datetime(finished_at / 1000000, 'unixepoch'),
  payload, errors, result
from {p}history;
