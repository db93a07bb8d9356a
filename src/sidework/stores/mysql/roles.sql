-- Three roles with as few rights as their work takes; run it in the database of the tables, as an account that may grant
-- them, after `migrate`, and again after each later one. Grant them to the accounts that log in, as their default role.
-- For another prefix than sidework, replace it below.
create role if not exists sidework_producer, sidework_worker, sidework_reader;

grant select on sidework_migrations to sidework_producer, sidework_worker, sidework_reader;

-- Enqueues. It sees which ids are known, and no job.
grant insert, select (id) on sidework_jobs to sidework_producer;

grant select (id) on sidework_history to sidework_producer;

grant select, insert, update on sidework_given_ids to sidework_producer;

-- Runs jobs and looks after them.
grant select, insert, update, delete on sidework_jobs to sidework_worker;

grant select, insert, delete on sidework_history to sidework_worker;

grant select, insert, update, delete on sidework_given_ids to sidework_worker;

grant select, insert, update, delete on sidework_cancellations to sidework_worker;

grant select, insert, update, delete on sidework_progress to sidework_worker;

grant select, insert, update, delete on sidework_workers to sidework_worker;

grant select, insert, delete on sidework_tokens to sidework_worker;

grant select, insert, delete on sidework_markers to sidework_worker;

grant select on sidework_queues to sidework_worker;

-- Finds, counts and lists.
grant select on sidework_jobs to sidework_reader;

grant select on sidework_history to sidework_reader;

grant select on sidework_progress to sidework_reader;

grant select on sidework_workers to sidework_reader;

grant select on sidework_queues to sidework_reader;

grant select on sidework_overview to sidework_reader;
