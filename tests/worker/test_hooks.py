"""What the application wraps around its jobs: on_failure, middleware, lifespan, and subscribers to events."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import ModuleType
from typing import Any

import anyio
import pytest

import sidework
from sidework import App, CancelJob, Context, Job, Retry, Snooze
from sidework.errors import ConfigurationError, SchemaError
from sidework.events import (
    Event,
    HookFailed,
    JobCancelled,
    JobDone,
    JobEnqueued,
    JobFailed,
    JobRetried,
    JobSnoozed,
    JobStarted,
    WorkerStarted,
    WorkerStopped,
)
from tests.worker.conftest import StartWorker
from tests.worker.helpers import DEADLINE, Heard, eventually, finish, finished, wait_for

Listen = Callable[[App], Heard]
Load = Callable[[str], ModuleType]

# on_failure


def test_on_failure_is_called_once_when_the_failure_is_stored(app: App, start: StartWorker) -> None:
    calls: list[tuple[str, Job, BaseException, str]] = []
    called = threading.Semaphore(0)

    def own(job: Job, exception: BaseException) -> None:
        calls.append(("own", job, exception, app.jobs.get(job.id).state))
        called.release()

    @app.on_failure
    async def general(job: Job, exception: BaseException) -> None:
        state = (await asyncio.to_thread(app.jobs.get, job.id)).state
        calls.append(("general", job, exception, state))
        called.release()

    @app.task(retry=Retry(max_attempts=2, delays=[0]), on_failure=own)
    def fail() -> None:
        raise LookupError("no")

    start(app)
    job = finish(app, fail.enqueue())
    for _ in range(2):
        assert called.acquire(timeout=DEADLINE)
    assert [name for name, *_ in calls] == ["own", "general"]
    for _, told, exception, state in calls:
        assert (told.id, told.state, told.attempt, state) == (job.id, "failed", 2, "failed")
        assert isinstance(exception, LookupError)


def test_on_failure_is_not_called_for_anything_else(lite: App, start: StartWorker) -> None:
    calls: list[Job] = []
    lite.on_failure(lambda job, _exception: calls.append(job))

    @lite.task(retry=Retry(max_attempts=2, delays=[0]))
    def end(ctx: Context, kind: str) -> None:
        if kind == "snooze" and len(calls) == 0 and ctx.job.tags != ():
            raise Snooze(0)
        if kind == "cancel":
            raise CancelJob("no more")
        if kind == "retry" and ctx.job.attempt == 1:
            raise ValueError("once")
        if kind == "fail":
            raise ValueError("twice")

    start(lite, concurrency=1)
    finished(lite, end.enqueue("done"), end.enqueue("cancel"), end.enqueue("retry"))
    failed = finish(lite, end.enqueue("fail"))
    eventually(lambda: calls, "on_failure")
    assert [job.id for job in calls] == [failed.id]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("is_async", [True, False])
def test_an_on_failure_that_raises_is_told_and_changes_nothing(
    lite: App, start: StartWorker, listen: Listen, kind: type[BaseException], is_async: bool
) -> None:
    heard = listen(lite)

    def plain(_job: Job, _exception: BaseException) -> None:
        raise kind("the hook")

    async def coroutine(_job: Job, _exception: BaseException) -> None:
        raise kind("the hook")

    @lite.task(retry=None, on_failure=coroutine if is_async else plain)
    def fail() -> None:
        raise LookupError("no")

    @lite.task
    def after() -> None: ...

    worker = start(lite)
    assert finish(lite, fail.enqueue()).state == "failed"
    assert heard.wait(HookFailed).hook == "on_failure"
    assert finish(lite, after.enqueue()).state == "done"
    assert worker.state == "running"


def test_an_on_failure_that_hangs_holds_up_no_outcome(lite: App, start: StartWorker) -> None:
    release, hanging = threading.Event(), threading.Event()

    @lite.on_failure
    def hang(_job: Job, _exception: BaseException) -> None:
        hanging.set()
        release.wait(DEADLINE)

    @lite.task(retry=None)
    def fail() -> None:
        raise LookupError("no")

    @lite.task
    def after() -> None: ...

    start(lite)
    finish(lite, fail.enqueue())
    wait_for(hanging)
    assert {job.state for job in finished(lite, *(after.enqueue() for _ in range(3)))} == {"done"}
    release.set()


# middleware


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_middleware_wraps_the_handler_in_order_and_sees_its_result(
    lite: App, start: StartWorker, executor: str
) -> None:
    seen: list[str] = []

    @lite.middleware
    def outer(ctx: Context) -> Iterator[None]:
        seen.append(f"outer {ctx.job.args}")
        result = yield
        seen.append(f"outer {result}")

    @lite.middleware
    async def middle(_ctx: Context) -> AsyncIterator[None]:
        await asyncio.sleep(0)
        seen.append(f"middle {sidework.current().job.attempt}")
        result = yield
        await asyncio.sleep(0)
        seen.append(f"middle {result}")

    @lite.middleware
    def inner(_ctx: Context) -> Iterator[None]:
        seen.append("inner")
        result = yield
        seen.append(f"inner {result}")

    @lite.task
    def plain(x: int) -> int:
        seen.append("handler")
        return x + 1

    @lite.task
    async def coroutine(x: int) -> int:
        await asyncio.sleep(0)
        seen.append("handler")
        return x + 1

    start(lite)
    job = finish(lite, (plain if executor == "thread" else coroutine).enqueue(1))
    assert job.result == 2
    assert seen == ["outer (1,)", "middle 1", "inner", "handler", "inner 2", "middle 2", "outer 2"]


def deciding_layers(what: str, seen: list[BaseException]) -> tuple[Any, Any]:
    """A plain and an async middleware that do the same with the handler's exception."""

    def decide(error: BaseException) -> None:
        seen.append(error)
        if what == "raises again":
            raise error
        if what == "replaces":
            raise KeyError("instead") from error

    def plain_layer(_ctx: Context) -> Iterator[None]:
        try:
            yield
        except LookupError as error:
            decide(error)

    async def async_layer(_ctx: Context) -> AsyncIterator[None]:
        try:
            yield
        except LookupError as error:
            await asyncio.sleep(0)
            decide(error)

    return plain_layer, async_layer


@pytest.mark.parametrize("executor", ["thread", "async"])
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("what", ["raises again", "replaces", "suppresses"])
def test_the_handlers_exception_is_thrown_in_at_the_yield(
    lite: App, start: StartWorker, executor: str, is_async: bool, what: str
) -> None:
    seen: list[BaseException] = []
    plain_layer, async_layer = deciding_layers(what, seen)
    lite.middleware(async_layer if is_async else plain_layer)

    @lite.task(retry=None)
    def plain() -> int:
        raise LookupError("the handler's")

    @lite.task(retry=None)
    async def coroutine() -> int:
        raise LookupError("the handler's")

    start(lite)
    job = finish(lite, (plain if executor == "thread" else coroutine).enqueue())
    if what == "suppresses":
        assert (job.state, job.result) == ("done", None)
    else:
        assert (job.state, job.errors[0].type) == ("failed", "KeyError" if what == "replaces" else "LookupError")
        assert "the handler's" in job.errors[0].traceback
    assert [str(error) for error in seen] == ["the handler's"]


def layer_none(_ctx: Context) -> Iterator[None]:
    yield from ()


def layer_two(_ctx: Context) -> Iterator[None]:
    try:
        yield
    finally:
        yield


async def layer_async_none(_ctx: Context) -> AsyncIterator[None]:
    for each in list[None]():
        yield each


async def layer_async_two(_ctx: Context) -> AsyncIterator[None]:
    yield
    yield


async def layer_coroutine_layer(_ctx: Context) -> None: ...


WRONG_LAYERS: dict[str, Any] = {
    "none": layer_none,
    "two": layer_two,
    "two after an error": layer_two,
    "async none": layer_async_none,
    "async two": layer_async_two,
    "no generator": lambda _ctx: None,
    "coroutine": layer_coroutine_layer,
}


@pytest.mark.parametrize("executor", ["thread", "async"])
@pytest.mark.parametrize(
    "what", ["none", "two", "two after an error", "async none", "async two", "no generator", "coroutine"]
)
def test_middleware_that_is_not_one_yield_fails_the_attempt_with_a_reason(
    lite: App, start: StartWorker, executor: str, what: str
) -> None:
    lite.middleware(WRONG_LAYERS[what])

    @lite.task(retry=None)
    def plain() -> None:
        if what == "two after an error":
            raise LookupError("no")

    @lite.task(retry=None)
    async def coroutine() -> None:
        if what == "two after an error":
            raise LookupError("no")

    start(lite)
    job = finish(lite, (plain if executor == "thread" else coroutine).enqueue())
    assert (job.state, job.errors[0].type) == ("failed", "sidework.errors.ConfigurationError")
    assert "yield" in job.errors[0].message


def test_middleware_of_a_process_runs_in_the_process(load: Load, sqlite_url: str, start: StartWorker) -> None:
    handlers = load(sqlite_url)
    start(handlers.app)
    job = finish(handlers.app, handlers.pid.using(tags=["stamp"]).enqueue())
    assert job.progress is not None
    assert job.progress.message == str(job.result)


# lifespan


def make_lifespan(kind: str, steps: list[str]) -> Any:
    def enter() -> dict[str, str]:
        steps.append("enter")
        return {"pool": "open"}

    @contextmanager
    def plain() -> Iterator[dict[str, str]]:
        try:
            yield enter()
        finally:
            steps.append("leave")

    @asynccontextmanager
    async def coroutine() -> AsyncIterator[dict[str, str]]:
        async with anyio.create_task_group():  # is left by the task that entered it, or raises
            try:
                yield enter()
            finally:
                await asyncio.sleep(0)
                steps.append("leave")

    return plain if kind == "plain" else coroutine


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_worker_enters_the_lifespan_once_and_leaves_it(sqlite_url: str, start: StartWorker, kind: str) -> None:
    steps: list[str] = []
    with App(sqlite_url, lifespan=make_lifespan(kind, steps)) as app:
        app.migrate()

        @app.task
        def plain(ctx: Context) -> str:
            return str(ctx.state["pool"])

        @app.task
        async def coroutine(ctx: Context) -> str:
            return str(ctx.state["pool"])

        worker = start(app)
        assert [job.result for job in finished(app, plain.enqueue(), coroutine.enqueue())] == ["open", "open"]
        assert steps == ["enter"]
        worker.stop()
        worker.join(DEADLINE)
        assert steps == ["enter", "leave"]


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("how", ["work_once", "drain", "awork_once", "adrain"])
def test_running_jobs_by_hand_enters_the_lifespan_too(sqlite_url: str, kind: str, how: str) -> None:
    steps: list[str] = []
    with App(sqlite_url, lifespan=make_lifespan(kind, steps)) as app:
        app.migrate()

        @app.task
        def plain(ctx: Context) -> str:
            return str(ctx.state["pool"])

        @app.task
        async def coroutine(ctx: Context) -> str:
            await asyncio.sleep(0)
            return str(ctx.state["pool"])

        jobs = [plain.enqueue(), coroutine.enqueue()]

        async def in_loop() -> None:
            if how == "adrain":
                await app.adrain()
            else:
                await app.awork_once()
                await app.awork_once()
            await app.aclose()

        if how == "drain":
            app.drain()
        elif how == "work_once":
            app.work_once()
            app.work_once()
        else:
            asyncio.run(in_loop())
        assert [app.jobs.get(job.id).result for job in jobs] == ["open", "open"]
        assert steps == ["enter", "leave"] * (2 if "once" in how else 1)


def test_a_process_of_its_own_stays_in_the_lifespan_while_it_serves(
    load: Load, sqlite_url: str, start: StartWorker
) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1)
    jobs = finished(handlers.app, *(handlers.state_after_collecting.enqueue() for _ in range(2)))
    assert [job.result for job in jobs] == [{"is_open": True}] * 2


@pytest.mark.parametrize("how", ["start", "run", "drain"])
def test_a_lifespan_that_raises_at_the_start_is_the_callers_error(sqlite_url: str, how: str) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise ConnectionError("no pool")
        yield

    with App(sqlite_url, lifespan=broken) as app:
        app.migrate()
        worker = app.worker()
        before = set(threading.enumerate())
        with pytest.raises(ConnectionError, match="no pool"):
            getattr(app if how == "drain" else worker, how)()
        assert app.workers.list() == []
        if how != "drain":
            assert worker.state == "stopped"
        eventually(lambda: _busy(before) == [], "the end of what was started")


def test_a_lifespan_that_is_no_context_manager_is_refused_with_a_reason(sqlite_url: str) -> None:
    with App(sqlite_url, lifespan=lambda: 5) as app:  # type: ignore[arg-type,return-value]
        app.migrate()
        with pytest.raises(ConfigurationError, match="context manager"):
            app.worker().start()


def test_a_worker_on_missing_tables_says_what_to_run(any_url: str) -> None:
    with App(any_url) as app:
        for begin in (app.worker().start, app.worker().run, app.work_once):
            with pytest.raises(SchemaError, match="sidework migrate"):
                begin()


# events


def test_events_arrive_in_order_with_the_job_as_it_is_then(app: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(app)

    @app.task(retry=Retry(max_attempts=2, delays=[0.01]))
    def end(ctx: Context, kind: str) -> str:
        if kind == "snooze" and not heard.of(JobSnoozed):
            raise Snooze(0.01)
        if kind == "cancel":
            raise CancelJob("no more")
        if kind == "fail":
            raise ValueError("always")
        return kind

    worker = start(app, concurrency=1)
    jobs = {kind: finish(app, end.enqueue(kind)) for kind in ("done", "snooze", "cancel", "fail")}
    worker.stop()
    worker.join(DEADLINE)
    assert [type(event) for event in heard.events] == [
        WorkerStarted,
        *(JobEnqueued, JobStarted, JobDone),
        *(JobEnqueued, JobStarted, JobSnoozed, JobStarted, JobDone),
        *(JobEnqueued, JobStarted, JobCancelled),
        *(JobEnqueued, JobStarted, JobRetried, JobStarted, JobFailed),
        WorkerStopped,
    ]
    started = heard.of(JobStarted)[0].job
    assert (started.state, started.attempt) == ("running", 1)
    done = heard.of(JobDone)[0]
    stored = jobs["done"]
    assert (done.job.id, done.job.state, done.job.result, done.job.attempt) == (stored.id, "done", "done", 1)
    assert done.seconds >= 0
    retried, failed, cancelled = heard.of(JobRetried)[0], heard.of(JobFailed)[0], heard.of(JobCancelled)[0]
    assert (retried.job.state, retried.job.attempt, retried.delay) == ("waiting", 1, 0.01)
    assert (failed.job.state, failed.job.attempt, len(failed.job.errors)) == ("failed", 2, 2)
    assert isinstance(failed.exception, ValueError)
    assert (cancelled.job.state, cancelled.reason) == ("cancelled", "no more")


def test_a_subscriber_that_raises_disturbs_nobody(
    lite: App, start: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @lite.subscribe
    def broken(event: Event) -> None:
        raise RuntimeError("the subscriber")

    heard = Heard()
    lite.subscribe(heard)

    @lite.task
    def run() -> None: ...

    start(lite)
    assert finish(lite, run.enqueue()).state == "done"
    heard.wait(JobDone)
    assert "a subscriber raised on JobDone" in caplog.text


def test_the_log_tells_what_happened_and_no_arguments_or_results(
    lite: App, start: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="sidework")

    @lite.task(name="mail.welcome", retry=None)
    def welcome(address: str, *, fail: bool) -> str:
        if fail:
            raise ValueError("smtp is down")
        return "secret result"

    heard = Heard()
    lite.subscribe(heard)
    start(lite)
    jobs = finished(lite, welcome.enqueue("secret address", fail=False), welcome.enqueue("secret address", fail=True))
    heard.wait(JobDone)
    heard.wait(JobFailed)
    records = [record for record in caplog.records if record.name == "sidework"]
    assert {"JobEnqueued", "JobStarted", "JobDone", "JobFailed"} <= {record.__dict__["event"] for record in records}
    assert str(jobs[0].id) in caplog.text
    assert "smtp is down" in caplog.text
    for record in records:
        assert "secret" not in record.getMessage() + str(record.__dict__)


# what is left


def test_a_worker_leaves_no_busy_thread_and_no_connection(postgres: App, start: StartWorker) -> None:
    import psycopg

    @postgres.task
    def plain() -> None: ...

    @postgres.task
    async def coroutine() -> None: ...

    url = postgres.setup.database.url
    before = set(threading.enumerate())
    worker = start(postgres)
    finished(postgres, *(task.enqueue() for _ in range(20) for task in (plain, coroutine)))
    worker.stop()
    worker.join(DEADLINE)
    eventually(lambda: _busy(before) == [], "the end of the worker's threads")
    postgres.close()
    with psycopg.connect(url, autocommit=True) as watcher:
        query = "select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        eventually(lambda: watcher.execute(query).fetchall() == [], "the end of every connection")


def _busy(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith("sidework") and thread.name != "sidework-database"
    ]
