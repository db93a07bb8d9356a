select CAST(pg_advisory_xact_lock(hashtext({relation})) AS text)
