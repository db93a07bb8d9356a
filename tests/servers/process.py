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
        if self.account is not None:
            os.chown(self.path, self.account.pw_uid, self.account.pw_gid)

    def run(self, command: Sequence[str]) -> None:
        """Run a program to its end, as the server's account."""
        ended = subprocess.run(
            command,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._as_account(),
        )
        if ended.returncode != 0:
            raise ServerFailed(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")

    def can_run(self, program: Path) -> bool:
        """Whether the server's account can reach and run the program."""
        try:
            ended = subprocess.run(
                [str(program), "--version"], cwd=self.path, capture_output=True, check=False, **self._as_account()
            )
        except PermissionError:
            return False
        return ended.returncode == 0

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def _as_account(self) -> AccountOptions:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


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

    def start(self, command: Sequence[str]) -> None:
        """Start the server and return when it answers."""
        account = self.folder.account
        order = {
            "command": list(command),
            "folder": str(self.folder.path),
            "log": str(self.log),
            "stop_signal": int(self._stop_signal),
            "user": account.pw_uid if account else None,
            "group": account.pw_gid if account else None,
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
            raise ServerFailed(f"The server did not start: {' '.join(command)}")
        self._server = psutil.Process(int(pid))
        self._wait_for_answer()

    def stop(self) -> None:
        """Stop the server as its administrator would, and wait until it has ended."""
        if self._server is not None:
            self._end(self._stop_signal, [self._server])

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would."""
        if self._server is not None:
            # Stopped first, so that it starts no further process and mends nothing while the rest is being ended.
            self._server.suspend()
            self._end(signal.SIGKILL, [self._server, *self._server.children(recursive=True)])

    def _wait_for_answer(self) -> None:
        assert self._keeper is not None
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._keeper.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace")[-4000:]
                self.kill()
                raise ServerFailed(f"The server did not answer within {START_TIMEOUT:.0f} s. Its log:\n{said}")
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


def _account(names: Sequence[str]) -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in (*names, "nobody"):
        if name in known:
            return known[name]
    raise ServerFailed(
        f"Running as root, and none of the accounts {', '.join(names)}, nobody exists to run a server as."
    )
