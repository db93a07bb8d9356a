drop view if exists {p}overview;

drop table if exists {p}queues, {p}workers, {p}markers, {p}progress, {p}cancellations, {p}given_ids, {p}history, {p}jobs, {p}tokens;

drop table if exists {p}migrations;
