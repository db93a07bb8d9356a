"""What others do to a job while its handler's transaction is open neither waits for it nor holds it up."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from sidework import App, Context, Progress, Retry
from sidework.events import JobCancelled, JobDone
from tests.shared import SharedDatabases, empty
from tests.transactional.till import Till
from tests.worker.helpers import DEADLINE, Heard, eventually, wait_for


@pytest.fixture(params=["postgres", "mariadb"])
def any_server(request: pytest.FixtureRequest, shared_databases: SharedDatabases) -> Iterator[App]:
    """Where others can write while a transaction is open; on SQLite they wait for it."""
    url = shared_databases.urls[request.param]
    empty(url)
    with App(url) as app:
        yield app


def test_progress_is_seen_while_the_handler_goes_on(any_server: App) -> None:
    heard, go = _listen(any_server), threading.Event()

    @any_server.task(delivery="transactional")
    def slow(ctx: Context) -> None:
        ctx.connection.cursor().execute("create temporary table scratch (x int)")
        ctx.progress(0.5, "half")
        wait_for(go)

    job = slow.enqueue()
    worker = any_server.worker(concurrency=1)
    worker.start()
    try:
        seen = eventually(lambda: any_server.jobs.get(job.id).progress, "progress")
        assert seen == Progress(0.5, "half")
    finally:
        go.set()
        worker.stop()
        worker.join(DEADLINE)
    heard.wait(JobDone)
    assert any_server.jobs.get(job.id).state == "done"


def test_cancelling_reaches_a_handler_in_its_transaction(any_server: App) -> None:
    heard, begun = _listen(any_server), threading.Event()

    @any_server.task(delivery="transactional", retry=Retry(1))
    def slow(ctx: Context) -> None:
        ctx.connection.cursor().execute("create temporary table scratch (x int)")
        begun.set()
        assert ctx.cancelled.wait(DEADLINE)
        raise RuntimeError("stopped as asked")

    job = slow.enqueue()
    worker = any_server.worker(concurrency=1)
    worker.start()
    try:
        wait_for(begun)
        assert [each.state for each in any_server.jobs.cancel(job.id)] == ["running"]
        heard.wait(JobCancelled)
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert any_server.jobs.get(job.id).state == "cancelled"


def test_two_at_once_in_one_process_take_turns_on_sqlite(lite: Till) -> None:
    inside, most = [0], [0]
    lock = threading.Lock()

    def count(_: Context) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.01)
        with lock:
            inside[0] -= 1

    lite.calls["count"] = count
    heard = _listen(lite.app)
    names = [f"{kind} {number}" for number in range(4) for kind in ("plain", "coroutine")]
    for name in names:
        lite.app.enqueue(name.split()[0], args=[[f"write {name}", "call count", "enqueue"]])
    worker = lite.app.worker(["default"], concurrency=8)
    worker.start()
    try:
        heard.wait(JobDone, len(names))
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert (lite.words, lite.children, most) == (sorted(names), len(names), [1])


def test_a_turn_is_given_up_by_a_handler_that_was_interrupted_while_it_waited(lite_url: str) -> None:
    inside, interrupted = threading.Event(), threading.Event()
    with App(lite_url) as app:

        @app.task(delivery="transactional", priority=1)
        def holds(ctx: Context) -> None:
            assert ctx.connection
            inside.set()
            wait_for(interrupted)

        @app.task(delivery="transactional", timeout=0.2, retry=None)
        def waits(ctx: Context) -> None:
            wait_for(inside)
            try:
                assert ctx.connection
            finally:
                interrupted.set()

        first, late = holds.enqueue(), waits.enqueue()
        worker = app.worker(concurrency=4)
        worker.start()
        try:
            ended = app.jobs.join([first, late], timeout=DEADLINE)
            assert [job.state for job in ended] == ["done", "failed"]
            assert app.jobs.join(holds.enqueue(), timeout=DEADLINE)[0].state == "done"
        finally:
            worker.stop()
            worker.join(DEADLINE)


def test_a_handler_waits_for_another_process_that_writes_on_sqlite(lite_url: str) -> None:
    begun = threading.Event()
    with App(f"{lite_url}?timeout=0.02") as app, closing(_other_process(lite_url)) as other:

        @app.task(delivery="transactional", retry=None)
        def handler(ctx: Context) -> int:
            other.execute("begin immediate")
            begun.set()
            threading.Timer(0.1, other.rollback).start()
            return int(ctx.connection.execute("select 1").fetchone()[0])

        handler.enqueue()
        [ack] = app.drain()
    assert (ack.job.state, ack.job.attempt, begun.is_set()) == ("done", 1, True)


def _other_process(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)


def _listen(app: App) -> Heard:
    heard = Heard()
    app.subscribe(heard)
    return heard
