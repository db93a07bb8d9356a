select coalesce(pg_xact_status(CAST(CAST(:marker AS text) AS xid8)) = 'committed', false)
