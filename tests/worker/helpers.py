"""What the worker's tests share: waiting with a deadline, listening to events, and programs in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sidework import App, Job
from sidework.events import Event

T = TypeVar("T")
E = TypeVar("E", bound=Event)

DEADLINE = 20.0
ROOT = Path(__file__).parents[2]


def eventually(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """Wait until the condition holds; returns its value."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen in {deadline:g} s"
        time.sleep(0.01)
    return value


def wait_for(event: threading.Event, what: str = "an event") -> None:
    """Wait for an event that another thread sets."""
    assert event.wait(DEADLINE), f"{what} did not happen in {DEADLINE:g} s"


def finished(app: App, *jobs: Job) -> list[Job]:
    """The jobs once they have finished, in the same order."""
    return app.jobs.join([job.id for job in jobs], timeout=DEADLINE)


def finish(app: App, job: Job) -> Job:
    """One job once it has finished."""
    return finished(app, job)[0]


class Heard:
    """A subscriber that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[E]) -> list[E]:
        """Every event of a type, in order."""
        return [event for event in tuple(self.events) if isinstance(event, kind)]

    def wait(self, kind: type[E], count: int = 1) -> E:
        """The nth event of a type, once it has come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(kind)) >= count, DEADLINE), (
                f"heard {len(self.of(kind))} of {count} {kind.__name__}, and {self.events}"
            )
        return self.of(kind)[count - 1]


class Program:
    """`python -m tests.worker.apps.serve`: a worker in a process of its own, its output in a file."""

    def __init__(self, log: Path, url: str, *arguments: str, **options: Any) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(arguments or ("tests.worker.apps.serve",)), json.dumps(options)],
                cwd=ROOT,
                env={**os.environ, "SIDEWORK_TEST_APP": url},
                stdout=output,
                stderr=output,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the worker's process."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """The exit code, once the process has ended."""
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the program goes on; its log:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()
