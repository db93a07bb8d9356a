-- Changes nothing. A savepoint outside a transaction would begin one of its own and commit it when released; sqlite3 (and what
-- stands on it) begins the caller's transaction only for a statement that starts with a verb of writing.
delete from {p}jobs
where seq < 0
