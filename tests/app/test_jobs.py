"""`app.jobs`: looking at jobs, and changing them."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidework import App, ConfigurationError, Context, Job, JobNotFound, JobState, Retry
from tests.worker.helpers import DEADLINE

LATER = datetime(2070, 1, 1, tzinfo=UTC)


@pytest.fixture
def stocked(app: App) -> App:
    """Jobs in every finished state, and waiting ones: b in queue mail, c later."""

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    @app.task(name="fail", retry=Retry(2, delays=[0]))
    def fail() -> None:
        raise RuntimeError("on purpose")

    add.using(tags=["done"]).enqueue(1, 2)
    fail.using(tags=["failed"]).enqueue()
    app.drain()
    app.jobs.cancel(add.using(tags=["cancelled"]).enqueue(1).id)
    add.using(tags=["b"], queue="mail").enqueue(2)
    add.using(tags=["c"], run_at=LATER).enqueue(3)
    return app


def test_the_fields_of_a_job_follow_its_life(app: App) -> None:
    seen: list[Job] = []

    @app.task(name="life", retry=Retry(3, delays=[0]))
    def life(ctx: Context) -> str:
        seen.append(ctx.job)
        ctx.progress(0.25, "begun")
        if ctx.job.attempt == 1:
            raise ValueError("not yet")
        return "well"

    job = life.enqueue()
    first = app.work_once()
    assert first is not None
    assert isinstance(first.exception, ValueError)
    waiting = app.jobs.get(job.id)
    assert (waiting.state, waiting.attempt, waiting.max_attempts) == ("waiting", 1, 3)
    assert (waiting.started_at, waiting.finished_at, waiting.worker) == (None, None, None)
    [error] = waiting.errors
    assert (error.attempt, error.type, error.message) == (1, "ValueError", "not yet")
    assert 'raise ValueError("not yet")' in error.traceback
    assert error.at is not None

    second = app.work_once()
    assert second is not None
    done = app.jobs.get(job.id)
    assert (done.state, done.attempt, done.result, done.crashes) == ("done", 2, "well", 0)
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.enqueued_at is not None
    assert done.enqueued_at <= done.started_at <= done.finished_at <= datetime.now(UTC) + timedelta(minutes=1)
    assert done.worker == seen[1].worker
    assert done.errors == waiting.errors
    assert done.progress is not None
    assert (done.progress.fraction, done.progress.message) == (0.25, "begun")
    assert [(each.state, each.attempt) for each in seen] == [("running", 1), ("running", 2)]

    [again] = app.jobs.retry(job.id)
    assert (again.state, again.attempt, again.errors) == ("waiting", 0, done.errors)
    assert app.drain()[-1].job.state == "done"


def test_a_job_is_got_by_its_id_in_any_form(app: App) -> None:
    job = app.enqueue("t")
    assert app.jobs.get(job.id) == app.jobs.get(str(job.id))
    unknown = uuid.uuid4()
    with pytest.raises(JobNotFound, match=f"no job {unknown} is kept"):
        app.jobs.get(unknown)
    for wrong in ("5", 5, None, b"x" * 16):
        with pytest.raises(ConfigurationError, match="expected a job's id as a UUID"):
            app.jobs.get(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "tags"),
    [
        ({}, "c b cancelled failed done"),
        ({"state": "waiting"}, "c b"),
        ({"state": JobState.DONE}, "done"),
        ({"state": ["failed", JobState.CANCELLED]}, "cancelled failed"),
        ({"state": "waiting", "queue": "mail"}, "b"),
        ({"queue": "default", "task": "add"}, "c cancelled done"),
        ({"task": "fail"}, "failed"),
        ({"tag": "b"}, "b"),
        ({"tag": "nobody"}, ""),
        ({"ids": []}, ""),
    ],
    ids=str,
)
def test_jobs_are_found_and_counted_by_filters_newest_first(stocked: App, where: Any, tags: str) -> None:
    found = stocked.jobs.find(**where)
    assert [job.tags[0] for job in found] == tags.split()
    assert stocked.jobs.count(**where) == len(found)


def test_counts_know_queues_and_states(stocked: App) -> None:
    counts = copy.deepcopy(stocked.jobs.count())
    assert counts == 5
    assert (counts["mail"]["waiting"], counts["default"]["failed"], counts["none"]["done"]) == (1, 1, 0)  # type: ignore[index]


def test_pages_follow_each_other(app: App) -> None:
    jobs = app.enqueue_many(app.task(name="t")(print).job(i) for i in range(25))
    pages, after = [], None
    while page := app.jobs.find(limit=10, after=after):
        pages.append([job.args[0] for job in page])
        after = page[-1].id
    assert pages == [list(range(24, 14, -1)), list(range(14, 4, -1)), list(range(4, -1, -1))]
    assert len(app.jobs.find(ids=jobs)) == 25
    assert [job.id for job in app.jobs.find(ids=[jobs[3], str(jobs[7].id)])] == [jobs[7].id, jobs[3].id]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda jobs: jobs.find(state="lost"), ConfigurationError, "expected state to be one of 'waiting', 'running'"),
        (lambda jobs: jobs.find(colour="red"), TypeError, "no filter 'colour'; there are ids, queue, state, tag, task"),
        (lambda jobs: jobs.find(limit=0), ConfigurationError, "expected limit to be an integer from 1"),
        (lambda jobs: jobs.find(queue="a b"), ConfigurationError, "expected a queue name"),
        (lambda jobs: jobs.retry(), ConfigurationError, "say which jobs to retry"),
        (lambda jobs: jobs.cancel(), ConfigurationError, "say which jobs to cancel"),
        (lambda jobs: jobs.delete(), ConfigurationError, "say which jobs to delete"),
        (lambda jobs: jobs.purge(state="waiting"), ConfigurationError, "purge removes finished jobs only"),
        (lambda jobs: jobs.purge(older_than=-1), ConfigurationError, "older_than"),
        (lambda jobs: jobs.join(uuid.uuid4()), JobNotFound, "is kept"),
        (lambda jobs: jobs.reschedule(uuid.uuid4(), priority=1), JobNotFound, "is kept"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    lite: App, call: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(lite.jobs)


def test_finished_jobs_are_retried_with_their_errors_kept(stocked: App) -> None:
    retried = stocked.jobs.retry(state=["failed", "cancelled"])
    assert sorted(job.tags[0] for job in retried) == ["cancelled", "failed"]
    assert {(job.state, job.attempt) for job in retried} == {("waiting", 0)}
    assert (
        stocked.jobs.get(next(job.id for job in retried if job.tags == ("failed",))).errors[0].message == "on purpose"
    )
    assert stocked.jobs.retry(ids=[uuid.uuid4()]) == []


def test_waiting_jobs_are_cancelled_at_once_and_finished_ones_are_left(stocked: App) -> None:
    cancelled = stocked.jobs.cancel(task="add")
    assert {job.tags[0]: job.state for job in cancelled} == {"b": "cancelled", "c": "cancelled"}
    assert stocked.jobs.get(cancelled[0].id).state == "cancelled"
    assert stocked.drain() == []


def test_deleted_jobs_are_returned_as_they_were(stocked: App) -> None:
    assert sorted(job.tags[0] for job in stocked.jobs.delete(queue="default", state=["waiting", "done"])) == [
        "c",
        "done",
    ]
    assert stocked.jobs.count() == 3


def test_a_waiting_job_is_rescheduled(app: App) -> None:
    job = app.enqueue("t")
    changed = app.jobs.reschedule(job.id, run_at=LATER, queue="other", priority=7)
    assert (changed.run_at, changed.queue, changed.priority) == (LATER, "other", 7)
    assert app.jobs.get(job.id) == changed
    app.jobs.cancel(job.id)
    with pytest.raises(ConfigurationError, match=f"job {job.id} is cancelled, and only waiting jobs"):
        app.jobs.reschedule(job.id, priority=1)
    with pytest.raises(ConfigurationError, match="datetime with a time zone"):
        app.jobs.reschedule(job.id, run_at=datetime(2070, 1, 1))  # noqa: DTZ001


def test_finished_jobs_are_purged_by_age_and_state(stocked: App) -> None:
    assert stocked.jobs.purge(older_than=timedelta(days=1)) == 0
    assert stocked.jobs.purge(state="done") == 1
    assert stocked.jobs.purge() == 2
    assert {job.state for job in stocked.jobs.find()} == {"waiting"}


def test_joining_waits_for_jobs_and_tells_of_those_that_are_late(app: App) -> None:
    go = threading.Event()

    @app.task(name="slow")
    def slow(x: int) -> int:
        assert go.wait(DEADLINE)
        return x

    jobs = [slow.enqueue(i) for i in range(3)]
    with pytest.raises(TimeoutError, match="3 of 3 jobs have not finished in time, such as"):
        app.jobs.join(jobs, timeout=0.05)
    worker = app.worker()
    worker.start()
    try:
        go.set()
        joined = app.jobs.join(list(reversed(jobs)), timeout=DEADLINE)
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert [job.result for job in joined] == [2, 1, 0]
    assert app.jobs.join([]) == []


async def test_the_async_twins_do_the_same(stocked: App) -> None:
    app = stocked
    [waiting] = await app.jobs.afind(queue="mail")
    assert await app.jobs.aget(waiting.id) == waiting
    assert await app.jobs.acount(state="waiting") == 2
    assert (await app.jobs.areschedule(waiting.id, priority=4)).priority == 4
    assert [job.state for job in await app.jobs.acancel(waiting.id)] == ["cancelled"]
    assert [job.state for job in await app.jobs.ajoin(waiting.id, timeout=5)] == ["cancelled"]
    assert [job.state for job in await app.jobs.aretry(waiting.id)] == ["waiting"]
    assert [job.id for job in await app.jobs.adelete(waiting.id)] == [waiting.id]
    assert await app.jobs.apurge() == 3
    assert await app.queues.asize("default") == 1
    await app.queues.apause("default")
    assert [(queue.name, queue.paused) for queue in await app.queues.alist()] == [("default", True)]
    await app.queues.aresume("default")
    assert await app.workers.alist() == []
    with pytest.raises(TimeoutError):
        await app.jobs.ajoin(await app.jobs.afind(), timeout=0.01)
    with pytest.raises(JobNotFound):
        await app.jobs.aget(waiting.id)
    await app.aclose()


def test_queues_are_listed_sized_paused_and_resumed(app: App) -> None:
    app.task(name="t")(print)
    app.enqueue("t", queue="b")
    app.enqueue("t", queue="a")
    app.enqueue("t", queue="a", run_at=LATER)
    app.queues.pause("b")
    app.queues.pause("c")
    assert [(queue.name, queue.paused, queue.waiting, queue.running) for queue in app.queues.list()] == [
        ("a", False, 2, 0),
        ("b", True, 1, 0),
        ("c", True, 0, 0),
    ]
    assert (app.queues.size("a"), app.queues.size("unknown")) == (2, 0)
    assert [ack.job.queue for ack in app.drain()] == ["a"]
    app.queues.resume("b")
    assert [ack.job.queue for ack in app.drain()] == ["b"]
    for call in (app.queues.size, app.queues.pause, app.queues.resume):
        with pytest.raises(ConfigurationError, match="expected a queue name"):
            call("a b")


def test_workers_are_listed_while_they_run(app: App) -> None:
    app.task(name="t")(print)
    worker = app.worker(["mail", "slow"], concurrency=3, lease=20)
    assert app.workers.list() == []
    worker.start()
    try:
        [info] = app.workers.list()
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert (info.id, info.queues, info.tasks, info.concurrency, info.running) == (
        worker.id,
        ("mail", "slow"),
        ("t",),
        3,
        0,
    )
    assert info.lease_until is not None
    assert info.beat_at is not None
    assert info.lease_until - info.beat_at == timedelta(seconds=20)
    assert app.workers.list() == []
