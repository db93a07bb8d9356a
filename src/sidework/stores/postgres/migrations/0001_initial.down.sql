drop view if exists {p}overview;

drop table if exists {p}queues, {p}workers, {p}progress, {p}cancellations, {p}given_ids, {p}history, {p}jobs, {p}migrations;

drop sequence if exists {p}tokens;
