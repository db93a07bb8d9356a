"""Workers that die, stand still, or lose a process: their jobs run elsewhere, and what they still say is not believed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sidework import App, Context
from sidework.core.store import Claim, WorkerRow
from sidework.events import JobRescued
from tests.worker.conftest import StartWorker
from tests.worker.helpers import Heard, Program, eventually, finish, finished

Load = Callable[[str], ModuleType]
Launch = Callable[..., Program]


@pytest.fixture(params=["postgres", "mysql", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def test_the_jobs_of_a_killed_worker_run_elsewhere_with_one_crash_each(
    url: str, load: Load, launch: Launch, start: StartWorker
) -> None:
    handlers = load(url)
    jobs = [handlers.hold_once.enqueue() for _ in range(3)]
    program = launch(url, lease=2)
    ids = [job.id for job in jobs]
    eventually(lambda: handlers.app.jobs.count(ids, state="running") == 3, "three running jobs")
    lost = handlers.app.jobs.get(ids[0]).worker
    program.kill()
    heard = Heard()
    handlers.app.subscribe(heard)
    start(handlers.app, lease=2)
    for job in finished(handlers.app, *jobs):
        assert (job.state, job.attempt, job.crashes, job.result) == ("done", 2, 1, "attempt 2")
        assert [error.type for error in job.errors] == ["sidework.errors.WorkerLost"]
        assert lost in job.errors[0].message
    assert {(event.lost_worker, event.job.state) for event in heard.of(JobRescued)} == {(lost, "waiting")}


def test_a_job_that_kills_its_worker_each_time_fails_and_the_others_flow(
    url: str, load: Load, launch: Launch, start: StartWorker
) -> None:
    handlers = load(url)
    killer = handlers.kill_worker.enqueue()
    program = launch(url, lease=1)
    assert program.ended() == 9, program.log.read_text()
    others = [handlers.quick.enqueue() for _ in range(3)]
    worker = start(handlers.app, lease=1)
    assert {job.state for job in finished(handlers.app, *others)} == {"done"}
    job = finish(handlers.app, killer)
    assert (job.state, job.crashes) == ("failed", 2)
    assert {error.type for error in job.errors} == {"sidework.errors.WorkerLost"}
    assert worker.state == "running"


def test_an_at_most_once_job_fails_with_its_worker_and_on_failure_is_called_in_the_rescuer(
    sqlite_url: str,
    load: Load,
    launch: Launch,
    start: StartWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    handlers = load(sqlite_url)
    job = handlers.hold_at_most_once.enqueue()
    program = launch(sqlite_url, lease=1)
    eventually(lambda: handlers.app.jobs.get(job.id).state == "running", "running")
    program.kill()
    monkeypatch.setenv("SIDEWORK_TEST_FAILURES", str(calls))
    start(handlers.app, lease=1)
    ended = finish(handlers.app, job)
    assert (ended.state, ended.attempt, ended.crashes) == ("failed", 1, 1)
    assert ended.errors[0].type == "sidework.errors.WorkerLost"
    (call,) = eventually(lambda: list(calls.iterdir()), "on_failure")
    eventually(call.read_text, "its text")
    assert call.read_text() == "WorkerLost failed"


def test_a_worker_that_stood_still_for_too_long_changes_nothing_any_more(
    url: str, load: Load, launch: Launch, start: StartWorker
) -> None:
    handlers = load(url)
    job = handlers.hold_once.enqueue()
    program = launch(url, lease=1)
    eventually(lambda: handlers.app.jobs.get(job.id).state == "running", "running")
    program.send(signal.SIGSTOP)
    start(handlers.app, lease=1)
    ended = finish(handlers.app, job)
    assert (ended.state, ended.attempt, ended.crashes, ended.result) == ("done", 2, 1, "attempt 2")
    program.send(signal.SIGCONT)
    eventually(lambda: "SettlementRefused" in program.log.read_text(), "the refusal")
    assert handlers.app.jobs.get(job.id) == ended
    program.send(signal.SIGTERM)
    assert program.ended() == 0, program.log.read_text()


def test_a_worker_that_was_lost_serves_again_when_it_goes_on(
    sqlite_url: str, load: Load, launch: Launch, start: StartWorker
) -> None:
    handlers = load(sqlite_url)
    program = launch(sqlite_url, lease=1)
    finish(handlers.app, handlers.quick.enqueue())
    program.send(signal.SIGSTOP)
    rescuer = start(handlers.app, lease=1)
    eventually(lambda: [each.id for each in handlers.app.workers.list()] == [rescuer.id], "the loss")
    rescuer.stop()
    rescuer.join(20)
    program.send(signal.SIGCONT)
    assert finish(handlers.app, handlers.quick.enqueue()).state == "done"


def test_a_process_that_dies_counts_as_a_crash_of_its_job_only(url: str, load: Load, start: StartWorker) -> None:
    handlers = load(url)
    worker = start(handlers.app)
    dying, other, plain = finished(
        handlers.app, handlers.dying.enqueue(), handlers.pid.enqueue(), handlers.quick.enqueue()
    )
    assert (dying.state, dying.attempt, dying.crashes) == ("failed", 2, 2)
    assert [error.type for error in dying.errors] == ["sidework.errors.WorkerLost"] * 2
    assert "exit code 7" in dying.errors[0].message
    assert (other.state, plain.state, worker.state) == ("done", "done", "running")


def test_jobs_that_were_only_held_are_charged_once_and_survive_their_neighbour(
    url: str, load: Load, launch: Launch, tmp_path: Path
) -> None:
    """The killer has a budget of four crashes, its neighbours of two: they would fail with it if they were held again."""
    handlers = load(url)
    held = [handlers.hold_twice.enqueue(), handlers.ahold_twice.enqueue(), handlers.hold_in_transaction.enqueue()]
    killer = handlers.kill_when_crowded.enqueue(len(held))
    first = launch(url, lease=1)
    assert first.ended() == 9, first.log.read_text()
    second = launch(url, lease=1)
    ended = finished(handlers.app, *held, killer)
    assert second.process.poll() is None, second.log.read_text()
    assert [(job.state, job.crashes) for job in ended] == [("done", 1)] * 3 + [("failed", 4)]
    # Each ran in a process that is not the worker's.
    assert all(job.result not in (None, second.process.pid) for job in ended[:3])


def test_a_suspect_whose_app_no_process_can_import_runs_in_the_worker(sqlite_url: str, start: StartWorker) -> None:
    with App(sqlite_url) as app:
        app.migrate()

        @app.task
        def run(ctx: Context) -> list[int]:
            return [os.getpid(), ctx.job.crashes]

        job = run.enqueue()
        store, database = app.setup.database.store, app.setup.database
        dead = WorkerRow("dead", "host", 1, None, (), 1, 30)
        database.run(lambda: store.beat(dead, first=True))
        claim = Claim("dead", app.setup.registry.crash_budgets(), 1)
        assert database.run(lambda: store.claim_jobs(claim)).rows
        database.run(lambda: store.retire("dead"))
        start(app)
        assert finish(app, job).result == [os.getpid(), 1]
