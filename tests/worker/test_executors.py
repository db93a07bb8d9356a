"""Where handlers run, how many at a time, and what they see of each other."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from uuid import UUID

import pytest

import sidework
from sidework import App, Context, SideworkError
from tests.worker.conftest import StartWorker
from tests.worker.helpers import DEADLINE, eventually, finish, finished, wait_for


def test_plain_handlers_run_in_a_thread_and_coroutines_on_the_workers_loop(app: App, start: StartWorker) -> None:
    seen: dict[str, int] = {}

    @app.task
    def plain(x: int) -> int:
        seen["plain"] = threading.get_ident()
        return x + 1

    @app.task
    async def coroutine(x: int) -> int:
        await asyncio.sleep(0)
        seen["coroutine"] = threading.get_ident()
        return x + 2

    start(app)
    first, second = finished(app, plain.enqueue(1), coroutine.enqueue(1))
    assert (first.state, first.result, second.state, second.result) == ("done", 2, "done", 3)
    assert (first.attempt, first.errors, first.crashes) == (1, (), 0)
    assert first.started_at is not None
    assert first.finished_at is not None
    assert first.started_at <= first.finished_at
    assert len({threading.get_ident(), seen["plain"], seen["coroutine"]}) == 3


def test_one_worker_serves_all_three_executors(
    load: Callable[[str], ModuleType], any_url: str, start: StartWorker
) -> None:
    handlers = load(any_url)
    start(handlers.app)
    plain, process, coroutine = finished(
        handlers.app, handlers.quick.enqueue(), handlers.pid.enqueue(), handlers.async_pid.enqueue()
    )
    assert plain.result == "done"
    assert process.result != os.getpid()
    assert coroutine.result[0] != os.getpid()
    assert coroutine.result[1:] == [str(coroutine.id), str(coroutine.id)]


def test_a_process_is_kept_for_the_next_job_and_its_prints_are_no_answers(
    load: Callable[[str], ModuleType], sqlite_url: str, start: StartWorker
) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1)
    first, printed, second = finished(
        handlers.app, handlers.pid.enqueue(), handlers.printing.enqueue(), handlers.pid.enqueue()
    )
    assert first.result == second.result
    assert printed.result == "answered"


def test_a_process_that_died_while_it_was_idle_is_no_crash_of_the_next_job(
    load: Callable[[str], ModuleType], sqlite_url: str, start: StartWorker
) -> None:
    handlers = load(sqlite_url)
    start(handlers.app, concurrency=1)
    first = finish(handlers.app, handlers.pid.enqueue())
    os.kill(first.result, signal.SIGKILL)
    eventually(lambda: not _exists(first.result), "the process is gone")
    second = finish(handlers.app, handlers.pid.enqueue())
    assert (second.state, second.attempt, second.crashes) == ("done", 1, 0)
    assert second.result != first.result


@pytest.mark.parametrize("kind", ["thread", "async"])
def test_as_many_jobs_run_at_once_as_the_concurrency_says_and_no_more(app: App, start: StartWorker, kind: str) -> None:
    barrier = threading.Barrier(4)
    count, most, lock = 0, 0, threading.Lock()

    def enter(change: int) -> None:
        nonlocal count, most
        with lock:
            count += change
            most = max(most, count)

    @app.task
    def plain() -> None:
        enter(1)
        barrier.wait(DEADLINE)  # is passed only where four are here at once
        enter(-1)

    together = asyncio.Condition()
    arrived = 0

    @app.task
    async def coroutine() -> None:
        nonlocal arrived
        enter(1)
        async with together:
            arrived += 1
            target = -(-arrived // 4) * 4
            together.notify_all()
            await asyncio.wait_for(together.wait_for(lambda: arrived >= target), DEADLINE)
        enter(-1)

    task = plain if kind == "thread" else coroutine
    jobs = app.enqueue_many(task.job() for _ in range(12))
    start(app, concurrency=4)
    assert {job.state for job in finished(app, *jobs)} == {"done"}
    assert most == 4


def test_a_dict_gives_each_queue_a_concurrency_of_its_own(app: App, start: StartWorker) -> None:
    lock, now, most = threading.Lock(), Counter[str](), Counter[str]()
    full, release = threading.Event(), threading.Event()

    @app.task
    def work(ctx: Context) -> None:
        with lock:
            now[ctx.job.queue] += 1
            most[ctx.job.queue] = max(most[ctx.job.queue], now[ctx.job.queue])
            if sum(now.values()) == 5:
                full.set()
        wait_for(release)
        with lock:
            now[ctx.job.queue] -= 1

    jobs = [work.using(queue=name).enqueue() for name in ("mail", "slow") * 6]
    other = work.using(queue="other").enqueue()
    start(app, {"mail": 3, "slow": 2})
    wait_for(full, "five jobs at once")
    release.set()
    finished(app, *jobs)
    assert most == {"mail": 3, "slow": 2}
    assert app.jobs.get(other.id).state == "waiting"


def test_context_variables_of_one_job_are_not_seen_by_the_next(lite: App, start: StartWorker) -> None:
    colour: ContextVar[str] = ContextVar("colour", default="none")

    @lite.task
    def plain() -> str:
        before = colour.get()
        colour.set("red")
        return before

    @lite.task
    async def coroutine() -> str:
        before = colour.get()
        colour.set("red")
        return before

    start(lite, concurrency=1)
    jobs = [task.enqueue() for _ in range(4) for task in (plain, coroutine)]
    assert {job.result for job in finished(lite, *jobs)} == {"none"}


def test_the_running_job_is_known_anywhere_below_its_handler(lite: App, start: StartWorker) -> None:
    meet = threading.Barrier(3)

    def deep() -> UUID:
        return sidework.current().job.id

    @lite.task
    def plain(ctx: Context) -> bool:
        meet.wait(DEADLINE)
        return deep() == ctx.job.id

    @lite.task
    async def coroutine(ctx: Context) -> bool:
        async def child() -> UUID:
            await asyncio.sleep(0)
            return deep()

        in_thread = await asyncio.to_thread(deep)
        return in_thread == await asyncio.create_task(child()) == ctx.job.id

    start(lite)
    jobs = [plain.enqueue() for _ in range(3)] + [coroutine.enqueue() for _ in range(3)]
    assert [job.result for job in finished(lite, *jobs)] == [True] * 6


def test_outside_of_a_handler_there_is_no_current_job() -> None:
    with pytest.raises(SideworkError, match="no job is running here"):
        sidework.current()


def test_a_handler_that_blocks_its_thread_does_not_hold_up_the_others(lite: App, start: StartWorker) -> None:
    release, blocked = threading.Event(), threading.Event()

    @lite.task
    def block() -> None:
        blocked.set()
        wait_for(release)

    @lite.task
    def pass_by() -> None: ...

    start(lite, concurrency=2)
    held = block.enqueue()
    wait_for(blocked)
    assert finish(lite, pass_by.enqueue()).state == "done"
    assert lite.jobs.get(held.id).state == "running"
    release.set()
    assert finish(lite, held).state == "done"


def test_progress_is_seen_while_the_handler_runs_and_afterwards(app: App, start: StartWorker) -> None:
    release = threading.Event()

    @app.task
    def report(ctx: Context) -> None:
        ctx.progress(0.25, "a quarter")
        wait_for(release)
        ctx.progress(1)

    start(app)
    job = report.enqueue()
    seen = eventually(lambda: app.jobs.get(job.id).progress, "progress")
    assert seen is not None
    assert (seen.fraction, seen.message) == (0.25, "a quarter")
    release.set()
    after = finish(app, job).progress
    assert after is not None
    assert (after.fraction, after.message) == (1.0, None)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
