"""In what order jobs start, and how soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pymysql
import pytest

from sidework import App, Context
from sidework.drivers.sqlite3 import connect_sqlite
from sidework.drivers.sqlite_url import parse_sqlite_url
from tests.worker.conftest import StartWorker
from tests.worker.cutter import CommitCutter
from tests.worker.helpers import eventually, finish, finished, wait_for

SOON = 3.0
"""Far below the poll interval of a minute, and far above what it takes on a busy machine."""


def test_a_list_of_queues_is_a_strict_order(app: App, start: StartWorker) -> None:
    ran: list[str] = []

    @app.task
    def note(ctx: Context) -> None:
        ran.append(ctx.job.queue)

    jobs = [note.using(queue=name, priority=9 if name == "c" else 0).enqueue() for name in "cbacba"]
    start(app, ["a", "b", "c"], concurrency=1)
    finished(app, *jobs)
    assert "".join(ran) == "aabbcc"


def test_every_queue_by_priority_then_due_time_then_order(app: App, start: StartWorker) -> None:
    ran: list[str] = []

    @app.task
    def note(name: str) -> None:
        ran.append(name)

    past = datetime.now(UTC) - timedelta(hours=1)
    jobs = [
        note.enqueue("third"),
        note.enqueue("fourth"),
        note.using(run_at=past).enqueue("second"),
        note.using(priority=-1).enqueue("last"),
        note.using(priority=7, queue="other").enqueue("first"),
    ]
    start(app, concurrency=1)
    finished(app, *jobs)
    assert ran == ["first", "second", "third", "fourth", "last"]


@pytest.mark.parametrize("how", ["delay", "run_at"])
def test_a_later_job_starts_soon_after_its_due_time(app: App, start: StartWorker, how: str) -> None:
    @app.task
    def run() -> None: ...

    start(app)
    finish(app, run.enqueue())
    begun = time.monotonic()
    options: dict[str, Any] = {"delay": 1} if how == "delay" else {"run_at": datetime.now(UTC) + timedelta(seconds=1)}
    job = finish(app, run.using(**options).enqueue())
    assert 0.9 < time.monotonic() - begun < 1 + SOON
    assert job.started_at is not None
    assert job.run_at is not None
    assert timedelta(0) <= job.started_at - job.run_at < timedelta(seconds=SOON)


def test_a_job_that_is_stored_on_our_connection_starts_at_once(app: App, start: StartWorker) -> None:
    @app.task
    def run() -> None: ...

    start(app)
    for _ in range(3):
        begun = time.monotonic()
        finish(app, run.enqueue())
        assert time.monotonic() - begun < SOON


def test_a_job_that_the_callers_transaction_commits_later_starts_soon(
    app: App, any_url: str, start: StartWorker
) -> None:
    ran = threading.Event()

    @app.task
    def run() -> None:
        ran.set()

    start(app)
    finish(app, run.enqueue())
    ran.clear()
    with _connect(any_url) as connection:
        job = run.using(connection=connection).enqueue()
        assert not ran.wait(0.3)
        begun = time.monotonic()
        connection.commit()
        wait_for(ran)
        assert time.monotonic() - begun < SOON
        assert finish(app, job).state == "done"


def test_a_paused_queue_waits_and_resuming_it_starts_its_jobs_at_once(app: App, start: StartWorker) -> None:
    @app.task(queue="mail")
    def send() -> None: ...

    @app.task
    def other() -> None: ...

    app.queues.pause("mail")
    start(app)
    held = send.enqueue()
    finish(app, other.enqueue())
    assert app.jobs.get(held.id).state == "waiting"
    begun = time.monotonic()
    app.queues.resume("mail")
    assert finish(app, held).state == "done"
    assert time.monotonic() - begun < SOON


def test_a_task_that_is_not_known_waits_for_a_worker_that_knows_it(app: App, start: StartWorker) -> None:
    @app.task
    def known() -> None: ...

    ignorant = start(app, concurrency=1)
    stranger = app.enqueue("somewhere.else", args=[4], priority=100)
    assert {job.state for job in finished(app, *(known.enqueue() for _ in range(5)))} == {"done"}
    waiting = app.jobs.get(stranger.id)
    assert (waiting.state, waiting.attempt, waiting.errors) == ("waiting", 0, ())

    with App(app.setup.database.url) as other:

        @other.task(name="somewhere.else")
        def double(x: int) -> int:
            return 2 * x

        start(other)
        assert finish(other, stranger).result == 8
        assert ignorant.state == "running"


def test_a_task_that_is_removed_is_left_waiting(lite: App, start: StartWorker) -> None:
    @lite.task(name="brief")
    def brief() -> None: ...

    @lite.task
    def other() -> None: ...

    start(lite)
    finish(lite, brief.enqueue())
    lite.tasks.remove("brief")
    left = lite.enqueue("brief")
    finished(lite, *(other.enqueue() for _ in range(3)))
    assert lite.jobs.get(left.id).state == "waiting"
    lite.task(name="brief")(brief)
    other.enqueue()
    assert finish(lite, left).state == "done"


def test_two_workers_of_one_process_share_the_jobs_and_run_each_once(app: App, start: StartWorker) -> None:
    ran: list[int] = []
    both = threading.Barrier(2)

    @app.task
    def meet() -> str | None:
        both.wait(20)  # is passed only where both workers have one
        return None

    @app.task
    def count(number: int) -> None:
        ran.append(number)

    start(app, concurrency=1)
    start(app, concurrency=1)
    first = finished(app, meet.enqueue(), meet.enqueue())
    assert len({job.worker for job in first}) == 2
    finished(app, *app.enqueue_many(count.job(number) for number in range(60)))
    assert sorted(ran) == list(range(60))


def test_an_idle_worker_asks_postgresql_at_most_twice_a_second(postgres_url: str) -> None:
    url = urlsplit(postgres_url)
    with CommitCutter(url.port or 5432) as proxy, App(postgres_url) as producer:
        producer.migrate()
        behind = url._replace(netloc=f"postgres@127.0.0.1:{proxy.port}", query="sslmode=disable&gssencmode=disable")
        with App(urlunsplit(behind)) as app:

            @app.task
            def run() -> None: ...

            worker = app.worker(poll_interval=5)
            worker.start()
            producer.jobs.join(producer.enqueue(run.name).id, timeout=30)
            before, end = proxy.asked, time.monotonic() + 5
            eventually(lambda: time.monotonic() > end, "the time to count")
            asked = proxy.asked - before
            worker.stop()
            worker.join(30)
    assert 1 <= asked <= 10, f"asked {asked} times in 5 s"


class _Opened:
    """A caller's connection, closed at the end."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __enter__(self) -> Any:
        return self.raw

    def __exit__(self, *_: object) -> None:
        self.raw.close()


def _connect(url: str) -> _Opened:
    parts = urlsplit(url)
    connectors: dict[str, Callable[[], Any]] = {
        "postgresql": lambda: psycopg.connect(url),
        "mysql": lambda: pymysql.connect(
            host=parts.hostname, port=parts.port or 3306, user=parts.username or "root", database=parts.path[1:]
        ),
        "sqlite": lambda: connect_sqlite(parse_sqlite_url(url)).raw,
    }
    connection = connectors[parts.scheme]()
    if parts.scheme == "sqlite":
        connection.isolation_level = ""
    return _Opened(connection)
