"""A database that goes away under a running worker, and comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import psycopg
import pytest

from sidework import App, OutcomeUnknown, SideworkError
from sidework.events import LoopFailed
from tests.servers import PostgresServer
from tests.worker.conftest import StartWorker
from tests.worker.cutter import CommitCutter
from tests.worker.helpers import DEADLINE, Heard, eventually, finish, finished, wait_for


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the test's own."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


def test_a_worker_outlives_a_restart_of_its_server(server: PostgresServer, start: StartWorker) -> None:
    running, release = threading.Event(), threading.Event()
    with App(server.url) as app:
        app.migrate()
        heard = Heard()
        app.subscribe(heard)

        @app.task
        def thread() -> str:
            running.set()
            wait_for(release)
            return "ended in the outage"

        @app.task
        async def coroutine() -> str:
            await asyncio.to_thread(wait_for, release)
            return "ended in the outage"

        @app.task
        def quick() -> None: ...

        worker = start(app, poll_interval=1)
        jobs = [thread.enqueue(), coroutine.enqueue()]
        wait_for(running)
        eventually(lambda: app.jobs.count([job.id for job in jobs], state="running") == 2, "both running")
        server.process.stop()
        heard.wait(LoopFailed)
        release.set()
        with pytest.raises(SideworkError):
            quick.enqueue()
        server.start()
        assert [job.result for job in finished(app, *jobs)] == ["ended in the outage"] * 2
        assert [(job.attempt, job.crashes) for job in finished(app, *jobs)] == [(1, 0)] * 2
        eventually(lambda: _enqueued(quick), "a job is stored")
        assert finish(app, quick.enqueue()).state == "done"
        assert worker.state == "running"
        worker.stop()
        worker.join(DEADLINE)


def test_a_worker_outlives_the_end_of_every_session(postgres: App, start: StartWorker) -> None:
    @postgres.task
    def quick() -> None: ...

    worker = start(postgres, poll_interval=1)
    finish(postgres, quick.enqueue())
    with psycopg.connect(postgres.setup.database.url, autocommit=True) as admin:
        for _ in range(3):
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            eventually(lambda: _enqueued(quick), "a job is stored")
    assert finish(postgres, quick.enqueue()).state == "done"
    assert postgres.jobs.join([job.id for job in postgres.jobs.find()], timeout=DEADLINE)
    assert worker.state == "running"


def _enqueued(task: object) -> bool:
    try:
        task.enqueue()  # type: ignore[attr-defined]
    except OutcomeUnknown:
        return True
    except SideworkError:
        return False
    return True


def test_a_job_whose_claim_was_stored_but_never_answered_is_given_back(
    server: PostgresServer, start: StartWorker
) -> None:
    """A proxy in front of the server passes a COMMIT of a claim on, and cuts the connection instead of its answer."""
    with CommitCutter(server.port) as cutter, App(server.url) as app:
        app.migrate()

        @app.task(name="run")
        def run() -> str:
            return "ran"

        with App(f"postgresql://postgres@127.0.0.1:{cutter.port}/postgres") as behind:
            behind.task(name="run")(lambda: "ran")
            worker = start(behind, poll_interval=0.1)
            finish(app, run.enqueue())
            cutter.cut_next()
            job = run.enqueue()
            wait_for(cutter.has_cut, "the cut")
            ended = finish(app, job)
            assert (ended.state, ended.result, ended.crashes) == ("done", "ran", 0)
            worker.stop()
            worker.join(DEADLINE)
