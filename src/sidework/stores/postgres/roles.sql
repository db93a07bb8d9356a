-- Three roles with as few rights as their work takes; run it as the owner of the tables, after `migrate`, and again after
-- each later one. Grant them to the accounts that log in. For another schema than sidework, replace it below.
do $$
declare
  role text;
begin
  foreach role in array array['sidework_producer', 'sidework_worker', 'sidework_reader'] loop
    if not exists (select from pg_roles where rolname = role) then
      execute format('create role %I nologin', role);
    end if;
  end loop;
end
$$;

grant usage on schema sidework to sidework_producer, sidework_worker, sidework_reader;

grant select on sidework.migrations to sidework_producer, sidework_worker, sidework_reader;

-- Enqueues. It reads back what the database has set, and which ids are known, and no job.
grant insert on sidework.jobs, sidework.given_ids to sidework_producer;

grant select (id, run_at, enqueued_at) on sidework.jobs to sidework_producer;

grant select (id) on sidework.given_ids, sidework.history to sidework_producer;

-- Runs jobs and looks after them.
grant select, insert, update, delete on
  sidework.jobs, sidework.history, sidework.cancellations, sidework.progress, sidework.workers
  to sidework_worker;

grant select, insert, delete on sidework.given_ids to sidework_worker;

grant select on sidework.queues to sidework_worker;

grant usage on sequence sidework.tokens to sidework_worker;

-- Finds, counts and lists.
grant select on
  sidework.jobs, sidework.history, sidework.progress, sidework.workers, sidework.queues, sidework.overview
  to sidework_reader;
