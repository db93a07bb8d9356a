"""One folder a database: its SQL, one statement a file, and the operations that yield it."""
