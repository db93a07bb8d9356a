"""What type checkers must know of jobs, managers and workers. Checked by mypy and pyright, never run."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_type
from uuid import UUID

from sidework import Ack, App, Context, Job, JobState, Progress, Retention, Worker, current

app = App("sqlite://")


def a_job_is_typed(job: Job) -> None:
    assert_type(job.id, UUID)
    assert_type(job.state, JobState)
    assert_type(job.args, tuple[Any, ...])
    assert_type(job.kwargs, Mapping[str, Any])
    assert_type(job.run_at, datetime | None)
    assert_type(job.errors[0].message, str)
    assert_type(job.progress, Progress | None)
    assert_type(job.tags, tuple[str, ...])
    job.state = JobState.DONE  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def managers_return_jobs(id: UUID) -> None:
    assert_type(app.jobs.get(id), Job)
    assert_type(app.jobs.get(str(id)), Job)
    assert_type(app.jobs.find(state="failed", queue="mail", limit=10, after=id), list[Job])
    assert_type(app.jobs.find(ids=[id], state=[JobState.DONE, "cancelled"]), list[Job])
    assert_type(app.jobs.retry(id), list[Job])
    assert_type(app.jobs.cancel(tag="late"), list[Job])
    assert_type(app.jobs.reschedule(id, priority=1), Job)
    assert_type(app.jobs.purge(older_than=timedelta(days=1)), int)
    assert_type(app.jobs.join([id], timeout=5), list[Job])
    assert_type(app.jobs.count()["mail"][JobState.WAITING], int)
    assert_type(app.queues.size("mail"), int)
    app.jobs.find(status="failed")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    app.jobs.get(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def managers_have_async_twins(id: UUID) -> None:
    assert_type(await app.jobs.aget(id), Job)
    assert_type(await app.jobs.afind(), list[Job])
    assert_type(await app.jobs.ajoin(id), list[Job])
    assert_type(await app.awork_once(), Ack | None)
    assert_type(await app.adrain(), list[Ack])


def running_is_typed() -> None:
    assert_type(app.work_once(queues=["fast", "slow"]), Ack | None)
    assert_type(app.drain(), list[Ack])
    assert_type(app.worker(queues={"mail": 2}, retention=Retention(done=timedelta(hours=1))), Worker)
    assert_type(app.worker(queues="mail", concurrency=2, lease=timedelta(seconds=30)), Worker)
    app.worker(concurrency="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def an_ack_is_typed(ack: Ack) -> None:
    assert_type(ack.job, Job)
    assert_type(ack.exception, BaseException | None)


def the_context_is_typed(ctx: Context) -> None:
    assert_type(ctx.job, Job)
    assert_type(ctx.cancelled.is_set(), bool)
    assert_type(current(), Context)
    ctx.progress(0.5, "half")
    ctx.progress("half")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
