"""Coroutine functions are real tests: they run, they can fail, and they may leave nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

SUITE = """
import asyncio
import pytest

@pytest.fixture
def loop(runner):
    return runner.get_loop()

async def test_passes_on_the_loop_of_its_fixtures(loop):
    assert asyncio.get_running_loop() is loop

async def test_fails():
    await asyncio.sleep(0)
    assert False

async def test_leaves_a_task_running():
    task = asyncio.create_task(asyncio.Event().wait())
    test_leaves_a_task_running.held = task
"""


def test_a_coroutine_test_runs_and_fails_and_may_leave_no_task(tmp_path: Path) -> None:
    (tmp_path / "test_inner.py").write_text(SUITE)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            tmp_path,
            tmp_path,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 1 passed" in ended.stdout, ended.stdout + ended.stderr
    assert "left tasks running" in ended.stdout
