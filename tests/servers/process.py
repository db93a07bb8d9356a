"""One server program in a private folder: started, stopped and killed; `postgres.py` and `mariadb.py` use it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

import psutil

KEEPER = Path(__file__).with_name("keeper.py")
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0


class ServerFailed(RuntimeError):
    """A database server could not be found, started or stopped."""


class AccountOptions(TypedDict, total=False):
    """How subprocess is told to run a program as another account."""

    user: int
    group: int
    extra_groups: list[int]


class ServerFolder:
    """A new folder for one server, owned by the account that runs it (databases refuse to run as root)."""

    def __init__(self, name: str, accounts: Sequence[str]) -> None:
        self.account = _account(accounts)
        self.path = Path(tempfile.mkdtemp(prefix=f"sidework-{name}-"))
        if self.account:
            os.chown(self.path, self.account["user"], self.account["group"])

    def can_run(self, program: Path) -> bool:
        """Whether the server's account can reach and run the program."""
        try:
            ended = subprocess.run(
                [str(program), "--version"], cwd=self.path, capture_output=True, check=False, **self.account
            )
        except PermissionError:
            return False
        return ended.returncode == 0

    def remove(self) -> None:
        shutil.rmtree(self.path)


class ServerProcess:
    """The server's process under its keeper; `answers` says whether the server accepts statements yet."""

    def __init__(self, folder: ServerFolder, stop_signal: signal.Signals, answers: Callable[[], bool]) -> None:
        self.folder = folder
        self.log = folder.path / "server.log"
        self._stop_signal = stop_signal
        self._answers = answers
        self._keeper: subprocess.Popen[bytes] | None = None
        self._server: psutil.Process | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it does not run."""
        return self._server.pid if self._server is not None else None

    def start(self, server: list[str], *, layout: Sequence[list[str]] = ()) -> None:
        """Run the commands that lay out the data, start the server, and return when it answers."""
        order = {
            "layout": layout,
            "server": server,
            "folder": str(self.folder.path),
            "log": str(self.log),
            "stop_signal": self._stop_signal,
            "account": self.folder.account,
        }
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", str(KEEPER), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        pid = self._keeper.stdout.readline()
        if not pid:
            self._forget()
            raise ServerFailed(f"The server did not start. Its log:\n{self._end_of_log()}")
        self._server = psutil.Process(int(pid))
        self._wait_for_answer()

    def stop(self) -> None:
        """Stop the server as its administrator would, and wait until it has ended."""
        if self._server is not None:
            self._end(self._stop_signal, [self._server])

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would."""
        if self._server is not None:
            try:
                # Held first, so that it starts no further process and mends nothing while the rest is being ended.
                self._server.suspend()
                processes = [self._server, *self._server.children(recursive=True)]
            except psutil.NoSuchProcess:
                processes = [self._server]
            self._end(signal.SIGKILL, processes)

    def _wait_for_answer(self) -> None:
        assert self._keeper is not None
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._keeper.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(
                    f"The server ended, or did not answer within {START_TIMEOUT:.0f} s. Its log:\n{self._end_of_log()}"
                )
            time.sleep(0.02)

    def _end(self, signal_number: signal.Signals, processes: list[psutil.Process]) -> None:
        assert self._keeper is not None
        for process in processes:
            try:
                process.send_signal(signal_number)
            except psutil.NoSuchProcess:
                continue
        try:
            self._keeper.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"The server (pid {self.pid}) did not end within {STOP_TIMEOUT:.0f} s.") from None
        _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT)
        if alive:
            raise ServerFailed(f"These processes of the server did not end: {alive}")
        self._forget()

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def _forget(self) -> None:
        if self._keeper is not None:
            self._keeper.wait(STOP_TIMEOUT)
            for pipe in (self._keeper.stdin, self._keeper.stdout):
                assert pipe is not None
                pipe.close()
        self._keeper = None
        self._server = None


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _account(names: Sequence[str]) -> AccountOptions:
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in (*names, "nobody"):
        if name in known:
            return {"user": known[name].pw_uid, "group": known[name].pw_gid, "extra_groups": []}
    raise ServerFailed(
        f"Running as root, and none of the accounts {', '.join(names)}, nobody exists to run a server as."
    )
