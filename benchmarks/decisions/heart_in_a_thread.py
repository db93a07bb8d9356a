"""Decision 6: the longest silence of a worker's heart, seen from another process, by what its handlers do.

`python -m benchmarks.decisions.heart_in_a_thread` starts a worker process for each case, and reads its row all the while.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from benchmarks.targets import connect, execute, opened
from sidework import App

BUSY = 12.0
"""Seconds that a case keeps the worker busy."""

CALL = 8.0
"""Seconds, about, of the one call that does not let go of the interpreter."""


async def block_loop() -> None:
    """A coroutine that sleeps as only a plain function may."""
    time.sleep(BUSY)  # noqa: ASYNC251 - that is the case


def compute() -> None:
    """Python code that never waits."""
    end = time.monotonic() + BUSY
    while time.monotonic() < end:
        sum(range(1000))


def hold_interpreter() -> None:
    """One call in C that does not release the interpreter's lock."""
    few = 5_000_000
    began = time.monotonic()
    sum(itertools.repeat(1, few))
    sum(itertools.repeat(1, round(few * CALL / (time.monotonic() - began))))


CASES: Mapping[str, tuple[Callable[[], object], int]] = {
    "idle": (compute, 0),
    "a coroutine blocks the loop": (block_loop, 1),
    "ten threads compute": (compute, 10),
    "a call holds the interpreter": (hold_interpreter, 1),
}


def main() -> None:
    with opened("postgresql") as target:
        print(f"PostgreSQL {target.version}; a beat is due every 3 s\n")
        for name, (function, jobs) in CASES.items():
            with target.fresh() as url:
                app = _app(url)
                app.migrate()
                app.enqueue_many(app.tasks[function.__name__].job() for _ in range(jobs))
                print(f"{name}: {_longest_silence(url):.1f} s", flush=True)
                app.close()


def serve(url: str) -> None:
    """The worker process."""
    app = _app(url)
    worker = app.worker(concurrency=10)
    worker.start()
    print(json.dumps(worker.id), flush=True)
    sys.stdin.read()
    worker.stop()
    worker.join()


def _app(url: str) -> App:
    app = App(url)
    for function in (block_loop, compute, hold_interpreter):
        app.task(name=function.__name__, retry=None)(function)
    return app


def _longest_silence(url: str) -> float:
    command = [sys.executable, "-m", "benchmarks.decisions.heart_in_a_thread", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 - as asked for
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        connection = connect(url, autocommit=True)
        beats: set[int] = set()
        end = time.monotonic() + BUSY + CALL
        while time.monotonic() < end:
            beats |= {at for (at,) in execute(connection, "select beat_at from sidework.workers").fetchall()}
            time.sleep(0.1)
        connection.close()
        process.stdin.close()
    ordered = sorted(beats)
    return max(later - earlier for earlier, later in itertools.pairwise(ordered)) / 1_000_000


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        main()
