"""Runs an example as its reader would: a program in an empty folder, its output read line by line."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 60.0


def run_example(name: str, folder: Path, **environment: str) -> str:
    """The whole output of a program that ends by itself."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Program:
    """A program that goes on until it is told to stop."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str]

    def line_with(self, text: str) -> str:
        """The next line of its output that holds the text."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if text in line:
                return line

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)


@contextmanager
def running(arguments: list[str], folder: Path, **environment: str) -> Iterator[Program]:
    """A program in the background; it is killed if it is left."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines))
    reader.start()
    try:
        yield Program(process, lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    for line in process.stdout or ():
        lines.put(line.rstrip("\n"))


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in {"SIDEWORK_URL", "DATABASE_URL", "SHOP_URL"}
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **added}
