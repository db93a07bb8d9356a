"""What `app.jobs`, `app.queues`, `app.workers` and `app.tasks` are: looking after what is stored."""
