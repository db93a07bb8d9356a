"""Runs one server for as long as its own standard input is open; `process.py` starts it as a program.

A test run that is killed cannot clean up, but the system closes its pipes: at that end of file the keeper stops the
server and removes its folder. PR_SET_PDEATHSIG would not do: the system clears it when the server changes its user.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

GRACE = 20.0


class Keeper:
    """Carries out one order: the commands that lay out the data, then the server."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._is_orphaned = False

    def run(self) -> int:
        """Return the exit code of the first command that failed, or of the server."""
        threading.Thread(target=self._end_with_input, daemon=True).start()
        for command in self._order["layout"]:
            code = self._start(command).wait()
            if code != 0:
                break
        else:
            server = self._start(self._order["server"])
            print(server.pid, flush=True)
            code = server.wait()
        # The thread may have decided so only now, and nothing is started once it has.
        with self._lock:
            if self._is_orphaned:
                _remove(Path(self._order["folder"]))
        return code

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._lock, Path(self._order["log"]).open("ab") as log:
            self._running = subprocess.Popen(
                ["false"] if self._is_orphaned else command,
                cwd=self._order["folder"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._order["account"],
            )
            return self._running

    def _end_with_input(self) -> None:
        # Not through sys.stdin, whose lock would be held by this thread when the interpreter ends.
        while os.read(0, 1024):
            pass
        with self._lock:
            self._is_orphaned = True
            running = self._running
        if running is None or running.poll() is not None:
            return
        if running.args != self._order["server"]:
            # A script that lays out the data has children of its own.
            os.killpg(running.pid, signal.SIGKILL)
            return
        running.send_signal(self._order["stop_signal"])
        try:
            running.wait(GRACE)
        except subprocess.TimeoutExpired:
            running.kill()


def _remove(folder: Path) -> None:
    # A grandchild of a killed command may live, and write, a moment longer.
    deadline = time.monotonic() + GRACE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


if __name__ == "__main__":
    # Ctrl-C in the terminal is for the test run, which then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(Keeper(json.loads(sys.argv[1])).run())
