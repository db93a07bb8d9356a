-- DDL commits by itself: every statement can be repeated, so that a migration that was killed goes on where it stopped.
-- Times are microseconds since 1970 in UTC (bigint), the same on the three databases; `overview` shows them as timestamps.
-- Ids are text, so that they can be read and typed, and sort alike without functions. Names are bytes: no collation of
-- both servers compares exactly.
create table if not exists {p}migrations (
  version integer primary key,
  name varchar(100) not null,
  applied_at datetime(6) not null default current_timestamp(6)
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Fencing tokens: one for every batch of attempts ever claimed, never used twice.
create table if not exists {p}tokens (
  token bigint auto_increment primary key
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Unfinished jobs. stage: 0 waits for its due time, 1 is due, 2 runs. place_rank is minus the priority: MariaDB before 10.8
-- has ascending indexes only, and a claim that has to sort locks every candidate.
create table if not exists {p}jobs (
  seq bigint auto_increment primary key,
  id char(36) character set ascii collate ascii_bin not null,
  queue varbinary(100) not null,
  task varbinary(800) not null,
  payload longtext not null,
  stage tinyint not null,
  place_rank bigint not null,
  run_at bigint not null,
  enqueued_at bigint not null,
  started_at bigint,
  attempt integer not null default 0,
  max_attempts integer,
  crashes integer not null default 0,
  max_crashes integer,
  worker varbinary(400),
  token bigint,
  errors longtext,
  tags longtext,
  unique key jobs_id (id),
  key jobs_due (stage, queue, task, place_rank, run_at, seq),
  key jobs_later (stage, run_at),
  key jobs_running (worker),
  constraint {p}jobs_stage check (stage in (0, 1, 2)),
  constraint {p}jobs_running check ((stage = 2) = (token is not null) and (stage = 2) = (worker is not null))
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Finished jobs.
create table if not exists {p}history (
  id char(36) character set ascii collate ascii_bin primary key,
  queue varbinary(100) not null,
  task varbinary(800) not null,
  payload longtext not null,
  state varchar(9) character set ascii collate ascii_bin not null,
  priority integer not null,
  run_at bigint not null,
  enqueued_at bigint not null,
  started_at bigint,
  finished_at bigint not null,
  attempt integer not null,
  max_attempts integer,
  crashes integer not null,
  max_crashes integer,
  worker varbinary(400),
  token bigint,
  errors longtext,
  result longtext,
  tags longtext,
  progress longtext,
  key history_finished (state, finished_at),
  constraint {p}history_state check (state in ('done', 'failed', 'cancelled'))
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Ids that callers chose, for as long as their jobs are kept: the guard against storing one twice. Without RETURNING, the
-- reservation tells an insert which of its ids were free.
create table if not exists {p}given_ids (
  id char(36) character set ascii collate ascii_bin primary key,
  reservation varchar(50) character set ascii collate ascii_bin not null
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Requests to stop a running attempt, and what attempts report: apart, because a transactional handler may hold its job's row.
create table if not exists {p}cancellations (
  id char(36) character set ascii collate ascii_bin primary key,
  token bigint not null,
  requested_at bigint not null
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

create table if not exists {p}progress (
  id char(36) character set ascii collate ascii_bin primary key,
  token bigint not null,
  note longtext not null,
  noted_at bigint not null
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

-- Rows of handlers' open transactions: one that can be seen says that a handler committed by itself.
create table if not exists {p}markers (
  id char(36) character set ascii collate ascii_bin not null,
  token bigint not null,
  primary key (id, token)
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

create table if not exists {p}workers (
  id varbinary(400) primary key,
  host longtext not null,
  pid integer not null,
  queues longtext,
  tasks longtext not null,
  concurrency integer not null,
  started_at bigint not null,
  beat_at bigint not null,
  lease_until bigint not null,
  key workers_lapsed (lease_until)
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

create table if not exists {p}queues (
  name varbinary(100) primary key,
  paused tinyint not null default 0
) engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin;

create or replace sql security invoker view {p}overview as
select id, convert(task using utf8mb4) as task, convert(queue using utf8mb4) as queue,
  case stage when 2 then 'running' else 'waiting' end as state,
  -place_rank as priority, attempt, max_attempts, crashes, convert(worker using utf8mb4) as worker,
  timestamp'1970-01-01 00:00:00' + interval run_at microsecond as run_at,
  timestamp'1970-01-01 00:00:00' + interval enqueued_at microsecond as enqueued_at,
  timestamp'1970-01-01 00:00:00' + interval started_at microsecond as started_at,
  CAST(null AS datetime(6)) as finished_at,
  payload, errors, null as result
from {p}jobs
union all
select id, convert(task using utf8mb4), convert(queue using utf8mb4),
  state,
  priority, attempt, max_attempts, crashes, convert(worker using utf8mb4),
  timestamp'1970-01-01 00:00:00' + interval run_at microsecond,
  timestamp'1970-01-01 00:00:00' + interval enqueued_at microsecond,
  timestamp'1970-01-01 00:00:00' + interval started_at microsecond,
  timestamp'1970-01-01 00:00:00' + interval finished_at microsecond,
  payload, errors, result
from {p}history;
