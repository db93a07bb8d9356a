"""Why a waiting job does not run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sidework import Job, JobState
from sidework.cli.explain import why_waiting
from sidework.managers.queues import Queue
from sidework.managers.workers import WorkerInfo

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
JOB = Job(UUID(int=1), "mail.welcome", "mail", run_at=NOW)
WORKER = WorkerInfo(
    id="w",
    host="h",
    pid=1,
    queues=None,
    tasks=("mail.welcome",),
    concurrency=4,
    running=0,
    started_at=NOW,
    beat_at=NOW,
    lease_until=NOW + timedelta(seconds=10),
)


def why(job: Job = JOB, *workers: WorkerInfo, paused: bool = False) -> str | None:
    return why_waiting(job, [Queue("mail", paused, 1, 0), Queue("other", True, 0, 0)], workers, NOW)


def test_each_cause_has_its_sentence() -> None:
    assert why(replace(JOB, run_at=NOW + timedelta(minutes=3)), WORKER) == "due in 3 min"
    assert why(JOB, WORKER, paused=True) == "queue mail is paused"
    assert why() == "no worker is running"
    assert why(JOB, replace(WORKER, lease_until=NOW)) == "no worker is running"
    assert why(JOB, replace(WORKER, tasks=("other",))) == "no live worker knows the task mail.welcome"
    assert why(JOB, replace(WORKER, queues=("sms",))) == "no live worker that knows the task serves queue mail"
    assert why(JOB, replace(WORKER, running=4)) == "due, but all 4 slots of its workers are taken"
    assert why(JOB, replace(WORKER, running=4), WORKER) == "due: a worker will start it in a moment"


def test_only_waiting_jobs_wait() -> None:
    assert [why(replace(JOB, state=state)) for state in JobState if state is not JobState.WAITING] == [None] * 4
