"""The demo's worker processes, each a plain `sidework worker` with a short lease."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

LEASE = 3
COMMAND = ("-m", "sidework", "--app", "sidework.cli.demo.app:app", "worker", "--log-level", "WARNING")
STOP_TIMEOUT = 30.0


class Fleet:
    """Worker processes on one database; their logs are files in `folder`. They end with this process."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment = {**os.environ, "SIDEWORK_URL": url}
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._links: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> int:
        """Start one more, and return its process id."""
        ours, theirs = socket.socketpair()
        given = theirs.fileno()
        options = ("--lease", str(LEASE), "--poll-interval", "1", "--supervised", str(given))
        with theirs, self.log(len(self._processes)).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *COMMAND, *options], env=self._environment, stderr=log, stdout=log, pass_fds=[given]
            )
        self._processes.append(process)
        self._links.append(ours)
        return process.pid

    def kill(self, pid: int) -> None:
        """End one with SIGKILL: it cannot say goodbye."""
        process = next(process for process in self._processes if process.pid == pid)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def ended(self) -> list[int]:
        """The process ids of those that are gone."""
        return [process.pid for process in self._processes if process.poll() is not None]

    def log(self, number: int) -> Path:
        """Where the log of the n-th one is."""
        return self._folder / f"worker-{number + 1}.log"

    def logged(self) -> str:
        """The last lines that they logged."""
        lines = [line for number in range(len(self._processes)) for line in self.log(number).read_text().splitlines()]
        return "\n".join(lines[-20:])

    def stop(self) -> None:
        """Stop all gracefully."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for link in self._links:
            link.close()
        self._links.clear()
