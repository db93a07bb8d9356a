drop view if exists {p}overview;

drop table if exists {p}queues;

drop table if exists {p}workers;

drop table if exists {p}markers;

drop table if exists {p}progress;

drop table if exists {p}cancellations;

drop table if exists {p}given_ids;

drop table if exists {p}history;

drop table if exists {p}jobs;

drop table if exists {p}tokens;

drop table if exists {p}migrations;
