"""Why a waiting job does not run: what `jobs show` says of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sidework.cli.output import span
from sidework.core.job import Job, JobState
from sidework.managers.queues import Queue
from sidework.managers.workers import WorkerInfo


def why_waiting(job: Job, queues: Sequence[Queue], workers: Sequence[WorkerInfo], now: datetime) -> str | None:
    """One reason, the nearest cause first; None for a job that does not wait."""
    if job.state is not JobState.WAITING:
        return None
    if job.run_at is not None and job.run_at > now:
        return f"due in {span((job.run_at - now).total_seconds())}"
    if any(queue.name == job.queue and queue.paused for queue in queues):
        return f"queue {job.queue} is paused"
    return _lacks_worker(job, [worker for worker in workers if worker.lease_until and worker.lease_until > now])


def _lacks_worker(job: Job, live: Sequence[WorkerInfo]) -> str:
    if not live:
        return "no worker is running"
    knowing = [worker for worker in live if job.task in worker.tasks]
    if not knowing:
        return f"no live worker knows the task {job.task}"
    serving = [worker for worker in knowing if worker.queues is None or job.queue in worker.queues]
    if not serving:
        return f"no live worker that knows the task serves queue {job.queue}"
    if all(worker.running >= worker.concurrency for worker in serving):
        slots = sum(worker.concurrency for worker in serving)
        return f"due, but all {slots} slots of its workers are taken"
    return "due: a worker will start it in a moment"
