"""A process that is killed in a handler's transaction leaves nothing, and its job runs again elsewhere, so often."""

from __future__ import annotations

import signal
import subprocess
import sys

from sidework import Job
from sidework.worker.upkeep import rescue_operation
from tests.transactional.till import Till
from tests.worker.helpers import DEADLINE, ROOT


def test_a_killed_worker_leaves_nothing_and_the_effect_comes_exactly_once(till: Till, url: str) -> None:
    job = till.app.enqueue("strike")
    assert _run(url, "die") == -signal.SIGKILL
    assert (till.words, till.children) == ([], 0)
    rescued = _rescue(till, job)
    assert (rescued.state, rescued.attempt, rescued.crashes) == ("waiting", 1, 1)
    assert _run(url, "live") == 0
    ended = till.app.jobs.get(job.id)
    assert (ended.state, ended.attempt, ended.crashes) == ("done", 2, 1)
    assert (till.words, till.children) == (["struck"], 1)


def test_a_job_that_kills_its_process_each_time_ends_failed(till: Till, url: str) -> None:
    job = till.app.enqueue("strike")
    states = []
    for _ in range(2):
        assert _run(url, "die") == -signal.SIGKILL
        states.append(_rescue(till, job).state)
    rescued = till.app.jobs.get(job.id)
    assert states == ["waiting", "failed"]
    assert (rescued.crashes, [error.type for error in rescued.errors]) == (2, ["sidework.errors.WorkerLost"] * 2)
    assert (till.words, till.children) == ([], 0)


def _run(url: str, fate: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.transactional.victim", url, fate], cwd=ROOT, timeout=DEADLINE, check=False
    ).returncode


def _rescue(till: Till, job: Job) -> Job:
    assert till.app.jobs.get(job.id).state == "running"
    till.execute(f"update {till.table('workers')} set lease_until = 1")
    till.app.setup.database.run(rescue_operation(till.app.setup))
    return till.app.jobs.get(job.id)
