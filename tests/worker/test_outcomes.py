"""What the end of an attempt comes to: retries, signals, failures that are hard to record, results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from sidework import App, CancelJob, Context, Job, Reject, Retry, RetryJob, Snooze
from sidework.events import JobRetried, JobSnoozed
from tests.worker.apps import bases
from tests.worker.conftest import StartWorker
from tests.worker.helpers import Heard, finish, finished

Listen = Callable[[App], Heard]
NOW = Retry(max_attempts=2, delays=[0])


def test_an_attempt_that_raised_is_tried_again_and_its_error_is_kept(app: App, start: StartWorker) -> None:
    @app.task(retry=Retry(max_attempts=3, delays=[0, 0.05]))
    def fail_twice(ctx: Context) -> str:
        if ctx.job.attempt < 3:
            raise LookupError(f"attempt {ctx.job.attempt}")
        return "at last"

    start(app)
    job = finish(app, fail_twice.enqueue())
    assert (job.state, job.attempt, job.result) == ("done", 3, "at last")
    assert [(error.attempt, error.type, error.message) for error in job.errors] == [
        (1, "LookupError", "attempt 1"),
        (2, "LookupError", "attempt 2"),
    ]
    assert all("fail_twice" in error.traceback for error in job.errors)
    assert all(error.at is not None for error in job.errors)


def test_the_last_delay_of_a_list_repeats(lite: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(lite)

    @lite.task(retry=Retry(max_attempts=5, delays=[0.02, timedelta(milliseconds=10)]))
    def fail() -> None:
        raise ValueError("no")

    start(lite)
    job = finish(lite, fail.enqueue())
    assert (job.state, job.attempt, len(job.errors)) == ("failed", 5, 5)
    assert [event.delay for event in heard.of(JobRetried)] == [0.02, 0.01, 0.01, 0.01]


def test_exponential_delays_stay_within_their_bounds_and_vary(lite: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(lite)

    @lite.task(retry=Retry.exponential(max_attempts=6, base=0.01, cap=0.04, jitter=0.5))
    def fail() -> None:
        raise ValueError("no")

    start(lite)
    finished(lite, *(fail.enqueue() for _ in range(4)))
    delays = [(event.job.attempt, event.delay) for event in heard.of(JobRetried)]
    assert len(delays) == 20
    for attempt, delay in delays:
        middle = min(0.04, 0.01 * 2 ** (attempt - 1))
        assert 0.5 * middle <= delay <= 1.5 * middle
    assert len({delay for _, delay in delays}) > 15


def test_a_function_decides_by_the_job_and_the_exception(lite: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(lite)
    asked: list[tuple[int, str]] = []

    def policy(job: Job, exception: BaseException) -> float | timedelta | None:
        asked.append((job.attempt, str(exception)))
        delays: dict[int, float | timedelta] = {1: 0.01, 2: timedelta(milliseconds=20)}
        return delays.get(job.attempt)

    @lite.task(retry=policy)
    def fail(ctx: Context) -> None:
        raise ValueError(f"no {ctx.job.attempt}")

    start(lite)
    job = finish(lite, fail.enqueue())
    assert (job.state, job.attempt) == ("failed", 3)
    assert asked == [(1, "no 1"), (2, "no 2"), (3, "no 3")]
    assert [event.delay for event in heard.of(JobRetried)] == [0.01, 0.02]


@pytest.mark.parametrize("kind", ["ZeroDivisionError", "SystemExit", "answers text", "answers NaN"])
@pytest.mark.parametrize("executor", ["thread", "async"])
def test_a_policy_that_breaks_fails_the_job_for_good_with_that_reason(
    lite: App, start: StartWorker, kind: str, executor: str
) -> None:
    def policy(_job: Job, _exception: BaseException) -> Any:
        if kind == "SystemExit":
            raise SystemExit("the policy")
        if kind == "ZeroDivisionError":
            return 1 / 0
        return "soon" if kind == "answers text" else float("nan")

    @lite.task(retry=policy)
    def plain() -> None:
        raise LookupError("the handler's own")

    @lite.task(retry=policy)
    async def coroutine() -> None:
        raise LookupError("the handler's own")

    start(lite, concurrency=1)
    task = plain if executor == "thread" else coroutine
    for job in finished(lite, task.enqueue(), task.enqueue()):
        assert (job.state, job.attempt, len(job.errors)) == ("failed", 1, 1)
        assert "the handler's own" in job.errors[0].traceback
        assert "retry policy" in job.errors[0].traceback
        assert job.errors[0].type != "LookupError"


def test_on_limits_retries_and_give_up_on_wins(lite: App, start: StartWorker) -> None:
    @lite.task(retry=Retry(max_attempts=2, delays=[0], on=(OSError,), give_up_on=(FileNotFoundError,)))
    def fail(kind: str) -> None:
        raise {"o": ConnectionError, "f": FileNotFoundError, "v": ValueError}[kind]("no")

    @lite.task(retry=None)
    def once() -> None:
        raise ValueError("no")

    start(lite)
    jobs = finished(lite, fail.enqueue("o"), fail.enqueue("f"), fail.enqueue("v"), once.enqueue())
    assert [(job.state, job.attempt) for job in jobs] == [("failed", 2), ("failed", 1), ("failed", 1), ("failed", 1)]


def test_a_snoozed_job_runs_again_for_ever_and_spends_no_attempt(app: App, start: StartWorker, listen: Listen) -> None:
    heard = listen(app)
    runs: list[int] = []

    @app.task(retry=None)
    def snooze(ctx: Context) -> str:
        runs.append(ctx.job.attempt)
        if len(runs) < 12:
            raise Snooze(0.01)
        return "awake"

    start(app)
    job = finish(app, snooze.enqueue())
    assert (job.state, job.attempt, job.errors, job.result) == ("done", 1, (), "awake")
    assert runs == [1] * 12
    snoozed = heard.of(JobSnoozed)
    assert len(snoozed) == 11
    assert {(event.delay, event.job.state, event.job.attempt) for event in snoozed} == {(0.01, "waiting", 0)}


def test_a_handler_ends_its_attempt_by_what_it_raises(app: App, start: StartWorker) -> None:
    @app.task(retry=None)
    def end(ctx: Context, kind: str) -> None:
        if kind == "retry" and ctx.job.attempt < 3:
            raise RetryJob(0)
        if kind == "reject":
            raise Reject("not for us")
        if kind == "cancel":
            raise CancelJob("no longer needed")

    start(app)
    retried, rejected, cancelled = finished(app, end.enqueue("retry"), end.enqueue("reject"), end.enqueue("cancel"))
    assert (retried.state, retried.attempt, len(retried.errors)) == ("done", 3, 2)
    assert (rejected.state, rejected.attempt, rejected.errors[0].message) == ("failed", 1, "not for us")
    assert (cancelled.state, cancelled.attempt, cancelled.errors[0].message) == ("cancelled", 1, "no longer needed")


@pytest.mark.parametrize("kind", sorted(bases.MESSAGES))
@pytest.mark.parametrize("executor", ["thread", "async"])
def test_an_exception_that_is_hard_to_record_is_recorded(
    any_url_for_message: App, start: StartWorker, kind: str, executor: str
) -> None:
    app = any_url_for_message

    @app.task(retry=None)
    def plain() -> None:
        raise bases.make(bases.MESSAGES, kind)

    @app.task(retry=None)
    async def coroutine() -> None:
        raise bases.make(bases.MESSAGES, kind)

    start(app)
    job = finish(app, (plain if executor == "thread" else coroutine).enqueue())
    assert (job.state, len(job.errors)) == ("failed", 1)
    assert 0 < len(job.errors[0].message) <= 2_100
    assert len(job.errors[0].traceback) <= 17_000
    assert "\x00" not in job.errors[0].message + job.errors[0].traceback


@pytest.fixture(params=["postgres", "sqlite"])
def any_url_for_message(request: pytest.FixtureRequest) -> App:
    app: App = request.getfixturevalue({"postgres": "postgres", "sqlite": "lite"}[request.param])
    return app


@pytest.mark.parametrize("kind", sorted(bases.EXCEPTIONS))
@pytest.mark.parametrize("executor", ["thread", "async"])
def test_any_exception_fails_the_attempt_and_nothing_else(
    lite: App, start: StartWorker, kind: str, executor: str
) -> None:
    @lite.task(retry=NOW)
    def plain() -> None:
        raise bases.make(bases.EXCEPTIONS, kind)

    @lite.task(retry=NOW)
    async def coroutine() -> None:
        await asyncio.sleep(0)
        raise bases.make(bases.EXCEPTIONS, kind)

    @lite.task
    def after() -> None: ...

    @lite.task
    async def later() -> None: ...

    worker = start(lite, concurrency=1)
    job, one, two = finished(
        lite, (plain if executor == "thread" else coroutine).enqueue(), after.enqueue(), later.enqueue()
    )
    assert (job.state, job.attempt, job.crashes) == ("failed", 2, 0)
    expected = bases.TOLD_AS.get((executor, kind), kind)
    assert [error.type.rpartition(".")[2] for error in job.errors] == [expected, expected]
    assert (one.state, two.state, worker.state) == ("done", "done", "running")


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_middleware_leaves_every_exception_as_it_is(lite: App, start: StartWorker, executor: str) -> None:
    @lite.middleware
    def plain_layer(_ctx: Context) -> Any:
        yield

    @lite.middleware
    async def async_layer(_ctx: Context) -> Any:
        yield

    @lite.task(retry=None)
    def plain(kind: str) -> None:
        raise bases.make(bases.EXCEPTIONS, kind)

    @lite.task(retry=None)
    async def coroutine(kind: str) -> None:
        raise bases.make(bases.EXCEPTIONS, kind)

    start(lite)
    task = plain if executor == "thread" else coroutine
    kinds = sorted(bases.EXCEPTIONS)
    for kind, job in zip(kinds, finished(lite, *(task.enqueue(kind) for kind in kinds)), strict=True):
        assert job.state == "failed"
        assert job.errors[0].type.rpartition(".")[2] == bases.TOLD_AS.get((executor, kind), kind)


def test_a_handler_that_cancels_its_own_task_has_a_failed_attempt(lite: App, start: StartWorker) -> None:
    @lite.task(retry=NOW)
    async def cancel_self() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    start(lite)
    job = finish(lite, cancel_self.enqueue())
    assert (job.state, job.attempt, len(job.errors)) == ("failed", 2, 2)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_task_that_a_handler_began_cannot_end_the_worker(
    lite: App, start: StartWorker, kind: type[BaseException]
) -> None:
    async def leave() -> None:
        raise kind

    @lite.task(retry=NOW)
    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(leave())

    @lite.task
    def after() -> None: ...

    worker = start(lite)
    job = finish(lite, group.enqueue())
    assert (job.state, job.attempt, job.crashes) == ("failed", 2, 0)
    assert {error.type for error in job.errors} == {kind.__name__}
    assert finish(lite, after.enqueue()).state == "done"
    assert worker.state == "running"


def test_every_exception_of_a_handler_in_a_process_fails_its_attempt(
    load: Callable[[str], ModuleType], sqlite_url: str, start: StartWorker
) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1)
    kinds = sorted(handlers.BASE_EXCEPTIONS)
    jobs = finished(handlers.app, *(handlers.raising.enqueue(kind) for kind in kinds))
    for kind, job in zip(kinds, jobs, strict=True):
        assert (job.state, job.attempt, job.crashes) == ("failed", 2, 0)
        assert {error.type.rpartition(".")[2] for error in job.errors} == {kind}
        assert "from the child" in job.errors[0].message
        assert "raising" in job.errors[0].traceback


def test_signals_and_results_cross_from_a_process(
    load: Callable[[str], ModuleType],
    sqlite_url: str,
    start: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setenv("SIDEWORK_TEST_FLAG", str(tmp_path / "flag"))
    handlers = load(sqlite_url)
    start(handlers.app)
    snoozed, rejected, unstorable = finished(
        handlers.app,
        handlers.signalling.enqueue("snooze"),
        handlers.signalling.enqueue("reject"),
        handlers.unstorable.enqueue(),
    )
    assert (snoozed.state, snoozed.attempt, snoozed.errors) == ("done", 1, ())
    assert (rejected.state, rejected.errors[0].message) == ("failed", "not this one")
    assert (unstorable.state, unstorable.attempt) == ("failed", 1)
    assert unstorable.errors[0].type.endswith("InvalidPayload")


def test_an_at_most_once_task_is_not_run_again_after_an_exception(app: App, start: StartWorker) -> None:
    @app.task(delivery="at_most_once")
    def fail() -> None:
        raise ValueError("no")

    @app.task(delivery="at_most_once")
    def ask_again() -> None:
        raise RetryJob(0)

    start(app)
    for job in finished(app, fail.enqueue(), ask_again.enqueue()):
        assert (job.state, job.attempt, len(job.errors)) == ("failed", 1, 1)


def test_a_result_that_cannot_be_stored_fails_the_job_for_good(app: App, start: StartWorker) -> None:
    runs = threading.Semaphore(0)

    @app.task
    def plain() -> object:
        runs.release()
        return object()

    @app.task
    async def coroutine() -> str:
        return "lone \ud800"

    start(app)
    for job in finished(app, plain.enqueue(), coroutine.enqueue()):
        assert (job.state, job.attempt, job.result) == ("failed", 1, None)
        assert job.errors[0].type.endswith("InvalidPayload")
    assert runs.acquire(blocking=False)
    assert not runs.acquire(blocking=False)


def test_without_store_result_nothing_is_kept_and_anything_may_be_returned(lite: App, start: StartWorker) -> None:
    @lite.task(store_result=False)
    def anything() -> object:
        return object()

    start(lite)
    job = finish(lite, anything.enqueue())
    assert (job.state, job.result) == ("done", None)


def test_arguments_that_cannot_be_read_fail_their_job_and_no_other(lite: App, start: StartWorker) -> None:
    @lite.task
    def double(x: int) -> int:
        return 2 * x

    broken, fine = double.enqueue(1), double.enqueue(2)
    handle = lite.setup.database.backend.owned.take()
    handle.raw.execute("update sidework_jobs set payload = '{\"broken' where id = ?", [_stored_id(handle.raw, broken)])
    lite.setup.database.backend.owned.give(handle)
    start(lite)
    first, second = finished(lite, broken, fine)
    assert (first.state, first.attempt, first.errors[0].type.rpartition(".")[2]) == ("failed", 1, "InvalidPayload")
    assert second.result == 4


def _stored_id(raw: Any, job: Job) -> Any:
    ids = [row[0] for row in raw.execute("select id from sidework_jobs")]
    return next(id for id in ids if id in (job.id.bytes, str(job.id), job.id.hex))
