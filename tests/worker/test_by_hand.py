"""Running jobs one after the other: work_once and drain, and what interrupts them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import ModuleType

import pytest

from sidework import App, Context, Retry, SideworkError
from tests.worker.helpers import DEADLINE, wait_for


def test_drain_runs_what_is_due_in_this_thread_and_answers_what_became_of_it(app: App) -> None:
    @app.task(retry=Retry(max_attempts=2, delays=[0]))
    def plain(ctx: Context, *, fail: bool) -> int:
        if fail and ctx.job.attempt == 1:
            raise LookupError("once")
        return threading.get_ident()

    @app.task
    async def coroutine() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    plain.using(delay=60).enqueue(fail=False)
    plain.enqueue(fail=False)
    coroutine.enqueue()
    flaky = plain.enqueue(fail=True)
    acks = app.drain()
    here = threading.get_ident()
    assert [ack.job.result for ack in acks] == [here, here, None, here]
    assert isinstance(acks[2].exception, LookupError)
    assert (acks[2].job.id, acks[2].job.state, acks[3].job.state) == (flaky.id, "waiting", "done")
    assert app.work_once() is None
    assert app.workers.list() == []


def test_ctrl_c_in_a_handler_gives_the_job_back_and_is_raised(lite: App) -> None:
    @lite.task
    def plain() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the first one asks, and leaves time to return
        wait_for(threading.Event(), "an interruption")

    @lite.task
    async def coroutine() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    for task in (plain, coroutine):
        job = task.enqueue()
        with pytest.raises(KeyboardInterrupt):
            lite.work_once()
        after = lite.jobs.get(job.id)
        assert (after.state, after.attempt, after.errors) == ("waiting", 0, ())
        lite.jobs.delete(job.id)


async def test_a_drain_that_is_cancelled_gives_its_job_back(lite: App) -> None:
    running, cleaned_up = asyncio.Event(), asyncio.Event()

    @lite.task
    async def endless() -> None:
        running.set()
        try:
            await asyncio.sleep(600)
        finally:
            cleaned_up.set()

    job = await lite.aenqueue(endless)
    task = asyncio.create_task(lite.adrain())
    await asyncio.wait_for(running.wait(), DEADLINE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cleaned_up.wait(), DEADLINE)
    after = await lite.jobs.aget(job.id)
    assert (after.state, after.attempt) == ("waiting", 0)
    await lite.aclose()


async def test_a_coroutine_cannot_be_run_by_a_plain_call_inside_a_loop(lite: App) -> None:
    @lite.task
    async def coroutine() -> None: ...

    job = await lite.aenqueue(coroutine)
    with pytest.raises(SideworkError, match="awork_once"):
        lite.work_once()
    after = await lite.jobs.aget(job.id)
    assert (after.state, after.attempt, after.errors) == ("waiting", 0, ())
    ack = await lite.awork_once()
    assert ack is not None
    assert ack.job.state == "done"
    await lite.aclose()


def test_a_process_serves_a_drain_too(load: Callable[[str], ModuleType], sqlite_url: str) -> None:
    handlers = load(sqlite_url)
    handlers.pid.enqueue()
    (ack,) = handlers.app.drain()
    assert ack.job.result not in (None, os.getpid())
