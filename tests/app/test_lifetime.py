"""Connections of an App: closed with it, one loop after another, many threads at once, and never a parent's in a child."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from sidework import App
from tests.shared import SharedDatabases
from tests.worker.helpers import DEADLINE

# Python 3.12 and later warn of forking beside threads, which is what applications do all the same.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def test_an_app_can_be_used_after_closing(app: App) -> None:
    app.enqueue("t")
    app.close()
    app.close()
    app.enqueue("t")
    assert app.jobs.count() == 2


async def test_leaving_its_block_closes_what_an_app_opened(postgres: str) -> None:
    name = f"block-{os.getpid()}"
    async with App(f"{postgres}?application_name={name}") as app:
        await app.aenqueue("t")
        app.enqueue("t")
        assert _sessions(postgres, name) == 2
    assert _sessions(postgres, name) == 0
    with app:
        app.enqueue("t")
    assert _sessions(postgres, name) == 0


def test_loops_one_after_the_other_leave_nothing_open(url: str) -> None:
    app = App(url)

    async def use() -> int:
        await asyncio.gather(*(app.aenqueue("t") for _ in range(3)))
        return await app.jobs.acount()

    with _no_warnings():
        assert [asyncio.run(use()) for _ in range(3)] == [3, 6, 9]
        app.enqueue("t")
        app.close()


def test_a_loop_that_ends_closes_its_connections(postgres: str) -> None:
    name = f"loop-{os.getpid()}"
    app = App(f"{postgres}?application_name={name}")

    async def use() -> int:
        await asyncio.gather(*(app.aenqueue("t") for _ in range(3)))
        return _sessions(postgres, name)

    assert asyncio.run(use()) == 3
    assert _sessions(postgres, name) == 0
    app.close()


def test_an_app_that_is_dropped_leaves_nothing_open(url: str) -> None:
    with _no_warnings():
        app = App(url)
        app.enqueue("t")
        del app
        gc.collect()


def test_many_threads_enqueue_at_once(app: App) -> None:
    start = threading.Barrier(8)

    def enqueue(number: int) -> None:
        start.wait()
        for i in range(10):
            app.enqueue("t", [number, i])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enqueue, range(8)))
    assert app.jobs.count() == 80
    assert len({tuple(job.args) for job in app.jobs.find(limit=100)}) == 80


def test_a_forked_child_opens_connections_of_its_own(url: str) -> None:
    if url.startswith("sqlite"):
        _check_fork(url)
        return
    app = App(url)
    before = _session(app)
    answers = _fork(lambda: _session(app))
    assert answers != before
    assert _session(app) == before
    app.close()


def test_a_forked_child_that_exits_without_using_the_app_leaves_its_parents_session(url: str) -> None:
    command = [sys.executable, "-c", EXITING_CHILD, url]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=DEADLINE).stdout
    assert said == "child 0, closed: False\n"


def test_a_forked_child_enqueues_and_its_parent_goes_on(url: str) -> None:
    _check_fork(url)


def _check_fork(url: str) -> None:
    with App(url) as app:
        app.enqueue("t", ["parent"])

        def enqueue() -> int:
            app.enqueue("t", ["child"])
            app.close()
            return asyncio.run(app.jobs.acount())

        assert _fork(enqueue) == 2
        app.enqueue("t", ["parent"])
        assert app.jobs.count() == 3


def test_a_forked_child_runs_a_worker_of_its_own(url: str) -> None:
    with App(url) as app:
        app.task(name="t")(os.getpid)

        def work() -> int:
            worker = app.worker(poll_interval=0.05)
            worker.start()
            [job] = app.jobs.join(app.enqueue("t"), timeout=DEADLINE)
            worker.stop()
            worker.join(DEADLINE)
            return int(job.result)

        assert work() == os.getpid()
        assert _fork(work) not in {os.getpid(), 0}
        assert work() == os.getpid()


def test_an_async_pool_is_left_to_the_parent_too(url: str) -> None:
    app = App(url)

    async def use() -> None:
        await app.aenqueue("t")
        assert await asyncio.to_thread(_fork, lambda: asyncio.run(_count(app))) == 1
        await app.aenqueue("t")
        await app.aclose()

    asyncio.run(use())
    assert app.jobs.count() == 2
    app.close()


async def _count(app: App) -> int:
    count = await app.jobs.acount()
    await app.aclose()
    return count


@pytest.fixture
def postgres(shared_databases: SharedDatabases) -> str:
    return shared_databases.urls["postgres"]


EXITING_CHILD = """
import os, sys
from sidework import App

app = App(sys.argv[1])
app.jobs.count()
owned = app.setup.database.backend.owned
handle = owned.take()
owned.give(handle)
child = os.fork()
if not child:
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(f"child {status}, closed: {handle.is_closed()}")
"""


def _fork(work: Any) -> Any:
    """What `work` answers in a forked child."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if not child:
        try:
            writer.send(work())
        finally:
            os._exit(0)
    writer.close()
    os.waitpid(child, 0)
    assert reader.poll(), "the child raised"
    return reader.recv()


def _session(app: App) -> int:
    handle = app.setup.database.backend.owned.take()
    app.setup.database.backend.owned.give(handle)
    return int(handle.raw.info.backend_pid if hasattr(handle.raw, "info") else handle.raw.thread_id())


def _sessions(url: str, name: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        query = "select count(*) from pg_stat_activity where application_name = %s"
        count = 0
        for _ in range(200):  # a server process takes a moment to end
            [count] = connection.execute(query, [name]).fetchone() or [0]
            if not count:
                break
            connection.execute("select pg_sleep(0.005)")
        return count


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Fails where something is left to a finalizer, which would warn; pytest makes errors of these too, but later."""
    unraisable: list[Any] = []
    import sys

    before, sys.unraisablehook = sys.unraisablehook, unraisable.append
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert unraisable == []
