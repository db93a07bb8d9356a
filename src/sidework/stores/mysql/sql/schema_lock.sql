-- DDL commits, so the lock is the session's; its name may have 64 characters.
select get_lock(concat('sidework:', sha1(concat(database(), '.{p}'))), 30)
