"""Handlers that should stop: their time is over, they were cancelled, or the worker stops."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from sidework import App, Context, Retry
from sidework.core.lifecycle import GIVEN_BACK, settle
from sidework.core.store import JobFilter
from sidework.errors import JobInterrupted, JobTimeout, SideworkError
from sidework.events import JobGivenBack, JobStarted, LoopFailed, SettlementRefused, WorkerStopped
from tests.worker.conftest import StartWorker
from tests.worker.helpers import DEADLINE, Heard, Program, eventually, finish, finished, wait_for

Listen = Callable[[App], Heard]
Load = Callable[[str], ModuleType]
TWICE = Retry(max_attempts=2, delays=[0])


def spin(ctx: Context) -> None:
    """Run Python bytecode until told."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        time.sleep(0.001)
    assert ctx.cancelled.is_set()


# timeouts


def test_a_coroutine_that_runs_too_long_is_cancelled_and_tried_again(app: App, start: StartWorker) -> None:
    seen: list[str] = []

    @app.task(timeout=0.1, retry=TWICE)
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    start(app)
    job = finish(app, slow.enqueue())
    assert (job.state, job.attempt) == ("failed", 2)
    assert seen == ["cancelled", "cleaned up"] * 2
    assert {error.type for error in job.errors} == {"sidework.errors.JobTimeout"}
    assert "0.1 s" in job.errors[0].message


def test_a_thread_that_runs_too_long_is_told_and_interrupted(app: App, start: StartWorker) -> None:
    seen: list[object] = []

    @app.task(timeout=0.1, retry=TWICE)
    def slow(ctx: Context) -> None:
        try:
            spin(ctx)
        except JobTimeout:
            seen.append(ctx.cancelled.is_set())
            raise

    start(app)
    job = finish(app, slow.enqueue())
    assert (job.state, job.attempt, seen) == ("failed", 2, [True, True])
    assert {error.type for error in job.errors} == {"sidework.errors.JobTimeout"}
    assert "spin" in job.errors[0].traceback


def test_a_thread_that_ignores_its_timeout_is_left_behind_and_its_slot_is_free(app: App, start: StartWorker) -> None:
    release, left = threading.Event(), threading.Event()

    @app.task(timeout=0.05, retry=None)
    def deaf() -> str:
        try:
            release.wait(DEADLINE)  # waits in C, where no exception comes
        finally:
            left.set()
        return "too late"

    @app.task
    def other() -> None: ...

    start(app, concurrency=1, stop_grace=0.2)
    stuck, after = finished(app, deaf.enqueue(), other.enqueue())
    release.set()
    wait_for(left)
    finish(app, other.enqueue())
    assert (stuck.state, stuck.errors[0].type, after.state) == ("failed", "sidework.errors.JobTimeout", "done")
    assert app.jobs.get(stuck.id).result is None


def test_a_coroutine_that_swallows_its_cancellation_is_left_behind(lite: App, start: StartWorker) -> None:
    release = threading.Event()

    @lite.task(timeout=0.05, retry=None)
    async def deaf() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    @lite.task
    def other() -> None: ...

    start(lite, concurrency=1, stop_grace=0.2)
    stuck, after = finished(lite, deaf.enqueue(), other.enqueue())
    assert (stuck.state, stuck.errors[0].type, after.state) == ("failed", "sidework.errors.JobTimeout", "done")
    release.set()


def test_a_process_that_runs_too_long_is_killed(load: Load, sqlite_url: str, start: StartWorker) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1)
    stuck, after = finished(handlers.app, handlers.endless.enqueue(), handlers.pid.enqueue())
    assert (stuck.state, stuck.attempt, stuck.crashes) == ("failed", 1, 0)
    assert stuck.errors[0].type == "sidework.errors.JobTimeout"
    assert after.state == "done"


def test_a_handler_that_returns_in_spite_of_its_timeout_is_done(lite: App, start: StartWorker) -> None:
    @lite.task(timeout=0.05, retry=None)
    def stubborn(ctx: Context) -> str:
        try:
            spin(ctx)
        except JobTimeout:
            return "in the end"
        return "never told"

    start(lite)
    job = finish(lite, stubborn.enqueue())
    assert (job.state, job.result, job.errors) == ("done", "in the end", ())


def test_a_timeout_that_comes_right_at_the_end_hits_no_other_job(lite: App, start: StartWorker) -> None:
    margin = 0.004

    @lite.task(timeout=margin, retry=None)
    def narrow(number: int) -> None:
        end = time.monotonic() + margin * (0.7 + number % 40 / 15)
        while time.monotonic() < end:
            pass

    @lite.task(retry=None)
    def bystander() -> int:
        return sum(range(2_000))

    start(lite, concurrency=1)
    jobs = lite.enqueue_many(job for number in range(300) for job in (narrow.job(number), bystander.job()))
    ended = finished(lite, *jobs)
    assert {job.state for job in ended[1::2]} == {"done"}
    assert {error.type for job in ended[::2] for error in job.errors} <= {"sidework.errors.JobTimeout"}
    states = [str(job.state) for job in ended[::2]]
    assert states.count("done") >= 10, states
    assert states.count("failed") >= 10, states


# cancelling


@pytest.mark.parametrize("kind", ["thread", "async"])
def test_a_running_job_that_is_cancelled_is_told_and_ends_as_cancelled(app: App, start: StartWorker, kind: str) -> None:
    seen: list[str] = []
    running = threading.Event()

    @app.task
    def plain(ctx: Context) -> None:
        running.set()
        try:
            spin(ctx)
        except JobInterrupted:
            seen.append("told")
            raise

    @app.task
    async def coroutine() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("told")

    start(app, lease=1.5)
    job = (plain if kind == "thread" else coroutine).enqueue()
    wait_for(running)
    assert [each.id for each in app.jobs.cancel(job.id)] == [job.id]
    ended = finish(app, job)
    assert (ended.state, ended.attempt, seen) == ("cancelled", 1, ["told"])


def test_a_handler_that_polls_may_finish_in_spite_of_a_cancel(app: App, start: StartWorker) -> None:
    running = threading.Event()

    @app.task
    def polite(ctx: Context) -> str:
        running.set()
        try:
            wait = ctx.cancelled.wait(DEADLINE)
        except JobInterrupted:
            wait = True
        return f"told: {wait}"

    start(app, lease=1.5)
    job = polite.enqueue()
    wait_for(running)
    app.jobs.cancel(job.id)
    ended = finish(app, job)
    assert (ended.state, ended.result) == ("done", "told: True")


def test_a_job_in_a_process_is_told_and_keeps_its_process(load: Load, sqlite_url: str, start: StartWorker) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1, lease=1.5)
    before = finish(handlers.app, handlers.pid.enqueue())
    job = handlers.restless.enqueue()
    progress = eventually(lambda: handlers.app.jobs.get(job.id).progress, "progress from the process")
    assert (progress.fraction, progress.message) == (0.5, "waiting")
    handlers.app.jobs.cancel(job.id)
    ended = finish(handlers.app, job)
    assert (ended.state, ended.attempt, ended.crashes) == ("cancelled", 1, 0)
    assert ended.progress is not None
    assert ended.progress.message == "told"
    assert finish(handlers.app, handlers.pid.enqueue()).result == before.result


# stopping the worker


def test_a_job_that_finishes_in_time_is_done_and_nothing_more_is_claimed(
    app: App, start: StartWorker, listen: Listen
) -> None:
    heard = listen(app)
    running, release = threading.Event(), threading.Event()

    @app.task
    def work() -> str:
        running.set()
        wait_for(release)
        return "finished"

    worker = start(app, concurrency=1)
    first = work.enqueue()
    wait_for(running)
    second = work.enqueue()
    worker.stop()
    eventually(lambda: worker.state == "stopping", "stopping")
    release.set()
    worker.join(DEADLINE)
    assert worker.state == "stopped"
    assert app.jobs.get(first.id).result == "finished"
    waiting = app.jobs.get(second.id)
    assert (waiting.state, waiting.attempt) == ("waiting", 0)
    assert len(heard.of(JobStarted)) == 1
    assert app.workers.list() == []
    assert len(heard.of(WorkerStopped)) == 1


@pytest.mark.parametrize("kind", ["thread", "async", "returns", "deaf"])
def test_after_the_shutdown_timeout_unfinished_jobs_are_given_back(
    app: App, start: StartWorker, listen: Listen, kind: str
) -> None:
    heard = listen(app)
    running, release = threading.Event(), threading.Event()

    @app.task
    def thread(ctx: Context) -> None:
        running.set()
        spin(ctx)

    @app.task
    async def coroutine() -> None:
        running.set()
        await asyncio.sleep(60)

    @app.task
    def returns(ctx: Context) -> str:
        running.set()
        try:
            spin(ctx)
        except JobInterrupted:
            return "all the same"
        return "never told"

    @app.task
    def deaf() -> None:
        running.set()
        release.wait(DEADLINE)

    worker = start(app, shutdown_timeout=0.1, stop_grace=0.4)
    tasks: dict[str, Any] = {"thread": thread, "async": coroutine, "returns": returns, "deaf": deaf}
    job = tasks[kind].enqueue()
    wait_for(running)
    worker.stop()
    worker.join(DEADLINE)
    release.set()
    after = app.jobs.get(job.id)
    if kind == "returns":
        assert (after.state, after.result) == ("done", "all the same")
    else:
        assert (after.state, after.attempt, after.crashes, after.errors) == ("waiting", 0, 0, ())
        assert after.worker is None
        heard.wait(JobGivenBack)


def test_a_job_in_a_process_is_given_back_and_its_process_ends(load: Load, sqlite_url: str, start: StartWorker) -> None:
    handlers = load(sqlite_url)
    worker = start(handlers.app, shutdown_timeout=0)
    job = handlers.restless.enqueue()
    eventually(lambda: handlers.app.jobs.get(job.id).progress, "progress")
    worker.stop()
    worker.join(DEADLINE)
    after = handlers.app.jobs.get(job.id)
    assert (after.state, after.attempt, after.crashes, after.errors) == ("waiting", 0, 0, ())


def test_an_at_most_once_job_that_had_begun_is_not_given_back(lite: App, start: StartWorker) -> None:
    running = threading.Event()

    @lite.task(delivery="at_most_once")
    def once(ctx: Context) -> None:
        running.set()
        spin(ctx)

    worker = start(lite, shutdown_timeout=0)
    job = once.enqueue()
    wait_for(running)
    worker.stop()
    worker.join(DEADLINE)
    after = lite.jobs.get(job.id)
    assert (after.state, after.attempt) == ("failed", 1)
    assert after.errors[0].type == "sidework.errors.JobInterrupted"


def test_a_worker_whose_tables_are_gone_still_stops_in_order(lite: App, start: StartWorker, listen: Listen) -> None:
    running, release = threading.Event(), threading.Event()
    heard = listen(lite)

    @lite.task
    def last() -> None:
        running.set()
        wait_for(release)

    worker = start(lite)
    last.enqueue()
    wait_for(running)
    lite.rollback()
    worker.stop()
    release.set()
    worker.join(DEADLINE)
    heard.wait(WorkerStopped)
    failed = {event.loop for event in heard.of(LoopFailed)}
    assert "settler" in failed
    assert "worker" not in failed


def test_a_second_stop_hurries(lite: App, start: StartWorker) -> None:
    running = threading.Event()

    @lite.task
    async def endless() -> None:
        running.set()
        await asyncio.sleep(600)

    worker = start(lite, shutdown_timeout=600)
    job = endless.enqueue()
    wait_for(running)
    worker.stop()
    worker.stop()
    worker.join(DEADLINE)
    assert lite.jobs.get(job.id).state == "waiting"


def test_a_stopped_workers_jobs_run_in_the_next_one(app: App, start: StartWorker) -> None:
    running = threading.Event()

    @app.task
    async def twice(ctx: Context) -> int:
        if not running.is_set():
            running.set()
            await asyncio.sleep(600)
        return ctx.job.attempt

    first = start(app, shutdown_timeout=0)
    job = twice.enqueue()
    wait_for(running)
    first.stop()
    first.join(DEADLINE)
    start(app)
    ended = finish(app, job)
    assert (ended.state, ended.result) == ("done", 1)


async def test_arun_stops_gracefully_when_it_is_cancelled(lite: App) -> None:
    running = asyncio.Event()
    goes_on = asyncio.Event()

    @lite.task
    async def work() -> str:
        running.set()
        await goes_on.wait()
        return "finished"

    worker = lite.worker(poll_interval=60)
    task = asyncio.create_task(worker.arun())
    job = await lite.aenqueue(work)
    await asyncio.wait_for(running.wait(), DEADLINE)
    task.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE)
    assert worker.state == "stopped"
    assert (await lite.jobs.aget(job.id)).result == "finished"
    await lite.aclose()


async def test_a_second_cancel_of_arun_hurries_and_leaves_no_task_behind(lite: App) -> None:
    running = asyncio.Event()

    @lite.task
    async def endless() -> None:
        running.set()
        await asyncio.sleep(600)

    worker = lite.worker(poll_interval=60, shutdown_timeout=600)
    task = asyncio.create_task(worker.arun())
    job = await lite.aenqueue(endless)
    await asyncio.wait_for(running.wait(), DEADLINE)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE)
    after = await lite.jobs.aget(job.id)
    assert (after.state, after.attempt) == ("waiting", 0)
    await lite.aclose()


def test_a_loop_that_ends_under_a_worker_gives_its_jobs_back(lite: App) -> None:
    running = threading.Event()

    @lite.task
    async def endless() -> None:
        running.set()
        await asyncio.sleep(600)

    job = endless.enqueue()

    async def main() -> None:
        worker = asyncio.create_task(lite.worker(poll_interval=60).arun())
        await asyncio.to_thread(wait_for, running)
        assert not worker.done()

    asyncio.run(main())
    after = lite.jobs.get(job.id)
    assert (after.state, after.attempt, after.errors) == ("waiting", 0, ())


# from outside


@pytest.mark.parametrize("database", ["postgres", "mysql", "sqlite"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_worker_in_the_foreground_and_its_exit_code_is_0(
    request: pytest.FixtureRequest,
    load: Load,
    launch: Callable[..., Program],
    database: str,
    number: signal.Signals,
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    handlers = load(url)
    finishing, unfinished = handlers.hold.enqueue(1.5), handlers.ahold.enqueue(60)
    program = launch(url, shutdown_timeout=2.5)
    for job in (finishing, unfinished):
        eventually(lambda job=job: handlers.app.jobs.get(job.id).state == "running", "running")  # type: ignore[misc]
    program.send(number)
    assert program.ended() == 0, program.log.read_text()
    assert handlers.app.jobs.get(finishing.id).state == "done"
    after = handlers.app.jobs.get(unfinished.id)
    assert (after.state, after.attempt, after.errors) == ("waiting", 0, ())


def test_a_second_signal_hurries(load: Load, sqlite_url: str, launch: Callable[..., Program]) -> None:
    handlers = load(sqlite_url)
    jobs = [handlers.hold.enqueue(60), handlers.ahold.enqueue(60), handlers.restless.enqueue()]
    program = launch(sqlite_url, shutdown_timeout=600)
    for job in jobs:
        eventually(lambda job=job: handlers.app.jobs.get(job.id).state == "running", "running")  # type: ignore[misc]
    eventually(lambda: handlers.app.jobs.get(jobs[2].id).progress, "progress of the process")
    while {job.state for job in handlers.app.jobs.find([job.id for job in jobs])} != {"waiting"}:
        program.send(signal.SIGTERM)
    assert program.ended() == 0, program.log.read_text()
    assert {(job.state, job.attempt) for job in handlers.app.jobs.find([job.id for job in jobs])} == {("waiting", 0)}


@pytest.mark.parametrize("database", ["postgres", "sqlite"])
def test_a_background_worker_gives_its_job_back_when_the_interpreter_exits(
    request: pytest.FixtureRequest, load: Load, launch: Callable[..., Program], database: str
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    handlers = load(url)
    job = handlers.hold.enqueue(60)
    program = launch(url, "tests.worker.apps.leave", shutdown_timeout=0.1)
    assert program.ended() == 0, program.log.read_text()
    after = handlers.app.jobs.get(job.id)
    assert (after.state, after.attempt, after.errors, after.crashes) == ("waiting", 0, (), 0)
    assert handlers.app.workers.list() == []


# start, stop, join, state


def test_a_worker_runs_once(lite: App, start: StartWorker) -> None:
    worker = start(lite)
    assert worker.state == "running"
    for again in (worker.start, worker.run, lambda: asyncio.run(worker.arun())):
        with pytest.raises(SideworkError, match="running, and a worker runs once"):
            again()
    assert worker.state == "running"
    with pytest.raises(TimeoutError):
        worker.join(0.01)
    worker.stop()
    worker.join(DEADLINE)
    assert worker.state == "stopped"
    worker.stop()
    with pytest.raises(SideworkError, match="stopped, and a worker runs once"):
        worker.start()


def test_a_worker_that_is_stopped_before_its_start_never_runs(lite: App) -> None:
    worker = lite.worker()
    assert worker.state == "new"
    worker.stop()
    assert worker.state == "stopped"
    worker.join(DEADLINE)
    with pytest.raises(SideworkError, match="stopped"):
        worker.start()


def test_what_a_lost_worker_still_says_is_refused_and_told(lite: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(lite)
    running, release = threading.Event(), threading.Event()

    @lite.task
    def work() -> str:
        running.set()
        release.wait(DEADLINE)
        return "stale"

    worker = start(lite)
    job = work.enqueue()
    wait_for(running)
    store, run = lite.setup.database.store, lite.setup.database.run
    row = run(lambda: store.find_jobs(JobFilter(ids=(job.id,))))[0]
    run(lambda: store.settle_jobs([settle(row, GIVEN_BACK, errors=None)]))
    lite.jobs.delete(job.id)
    release.set()
    assert heard.wait(SettlementRefused).job.id == job.id
    assert lite.jobs.find([job.id]) == []
    assert worker.state == "running"
