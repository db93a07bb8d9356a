select release_lock(concat('sidework:', sha1(concat(database(), '.{p}'))))
