"""Several worker processes: a parent that starts, replaces and stops them, and what a child does for that.

Each child holds one end of a socket pair. It writes a byte when its worker has started; the parent writes one for
each signal to stop. When the other end closes the child stops too: the system closes it whatever became of the parent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence

from sidework.events import Event, Events, WorkerStarted
from sidework.worker.worker import Worker

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds before a process that ended is replaced: doubled each time, and back to the first after a long life."""

MAX_FAILED_STARTS = 8
"""So many starts in a row that came to nothing, and the parent gives up."""

GRACE = 10.0
"""Seconds beyond the shutdown timeout after which a process that does not end is killed."""

logger = logging.getLogger("sidework.processes")


def keep_processes(command: Sequence[str], count: int, *, patience: float) -> int:
    """Keep `count` processes of a command alive until SIGTERM or SIGINT; returns the exit code."""
    return asyncio.run(Supervisor(command, count, patience).run())


def run_supervised(worker: Worker, events: Events, descriptor: int, *, patience: float) -> None:
    """In a child: run the worker until the parent says so, or has gone."""
    # What the application starts in turn must not keep the socket open.
    os.set_inheritable(descriptor, False)
    link = socket.socket(fileno=descriptor)
    stopper = _Stopper(worker)

    def announce(event: Event) -> None:
        if isinstance(event, WorkerStarted):
            link.send(_STARTED)

    events.subscribe(announce)
    # Ctrl-C in a terminal reaches the whole process group: the parent hears it too, and passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stopper.ask())
    threading.Thread(target=_obey, args=(link, stopper, patience), name="sidework-parent", daemon=True).start()
    asyncio.run(worker.arun())


class Supervisor:
    """The parent of `count` worker processes."""

    def __init__(self, command: Sequence[str], count: int, patience: float) -> None:
        self._command = command
        self._count = count
        self._patience = patience
        self._stopping = asyncio.Event()
        self._has_started = asyncio.Event()
        self._children: set[Child] = set()
        self._exit_code = 0

    async def run(self) -> int:
        """Start the processes and keep them until a signal, or until they cannot be started."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        # One goes ahead, so that what keeps all from starting is said once.
        slots = [self._begin_slot(1)]
        await _first(self._has_started, self._stopping)
        slots += [self._begin_slot(slot) for slot in range(2, self._count + 1)]
        await self._stopping.wait()
        await self._end_children(slots)
        return self._exit_code

    def _stop(self, exit_code: int = 0) -> None:
        self._exit_code = self._exit_code or exit_code
        self._stopping.set()
        for child in self._children:
            child.ask_to_stop()

    def _begin_slot(self, slot: int) -> asyncio.Task[None]:
        task = asyncio.create_task(self._keep(slot))
        task.add_done_callback(self._on_slot_end)
        return task

    def _on_slot_end(self, slot: asyncio.Task[None]) -> None:
        if not slot.cancelled() and slot.exception() is not None:
            self._stop(exit_code=1)  # `_end_children` raises it, once the other processes have ended

    async def _keep(self, slot: int) -> None:
        pause, failed_starts = FIRST_PAUSE, 0
        while not self._stopping.is_set():
            child = await Child.start([*self._command], self._has_started)
            self._children.add(child)
            code = await child.wait()
            self._children.discard(child)
            if self._stopping.is_set():
                return
            failed_starts = 0 if child.is_started else failed_starts + 1
            if (code > 0 and not self._has_started.is_set()) or failed_starts >= MAX_FAILED_STARTS:
                logger.error("worker process %d could not be started (exit code %d): giving up", slot, code)
                self._stop(exit_code=max(code, 1))
                return
            pause = FIRST_PAUSE if child.age() > LONGEST_PAUSE else pause
            logger.warning("worker process %d %s: a new one follows in %g s", slot, child.ending(), pause)
            await _first(self._stopping, timeout=pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _end_children(self, slots: Sequence[asyncio.Task[None]]) -> None:
        _, late = await asyncio.wait(slots, timeout=self._patience + GRACE)
        if late:
            self._exit_code = 1
            for child in self._children:
                logger.error("worker process with id %d does not stop: killing it", child.pid)
                child.kill()
        await asyncio.gather(*slots)


class Child:
    """One worker process, and our end of the socket to it."""

    def __init__(self, process: asyncio.subprocess.Process, link: socket.socket) -> None:
        self._process = process
        self._link = link
        self._began = time.monotonic()
        self.pid = process.pid
        self.is_started = False

    @classmethod
    async def start(cls, command: Sequence[str], has_started: asyncio.Event) -> Child:
        """Start a process in this process group; `has_started` is set when its worker runs."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            given = theirs.fileno()
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, "--supervised", str(given), pass_fds=[given], stdin=asyncio.subprocess.DEVNULL
                )
            except BaseException:
                ours.close()
                raise
        child = cls(process, ours)
        asyncio.get_running_loop().add_reader(ours, child._hear, has_started)
        return child

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        code = await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._link)
        self._link.close()
        return code

    def ask_to_stop(self) -> None:
        """Have it stop gracefully; asked again, it gives unfinished jobs back at once."""
        try:
            self._link.send(_STOP)
        except OSError:
            logger.debug("worker process with id %d has already gone", self.pid)

    def kill(self) -> None:
        """End it at once; its jobs run elsewhere when its lease has lapsed."""
        self._process.kill()

    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"(process id {self.pid}) was ended by {signal.Signals(-code).name}"
        return f"(process id {self.pid}) ended with exit code {code}"

    def _hear(self, has_started: asyncio.Event) -> None:
        if self._link.recv(1) == _STARTED:
            self.is_started = True
            has_started.set()
        else:
            asyncio.get_running_loop().remove_reader(self._link)


_STARTED, _STOP = b"+", b"-"


class _Stopper:
    """Stops a worker: asked in two ways for the same reason, as a process group is, it stops no harder."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._is_asked = False

    def ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._worker.stop()

    def hurry(self) -> None:
        self._worker.stop()


def _obey(link: socket.socket, stopper: _Stopper, patience: float) -> None:
    _hear(link)
    stopper.ask()
    if _hear(link) == _STOP:
        stopper.hurry()
    # A handler that does not end would outlive the parent otherwise.
    time.sleep(patience + GRACE)
    os._exit(1)


def _hear(link: socket.socket) -> bytes:
    try:
        return link.recv(1)
    except ConnectionResetError:
        # The parent went without having read that the worker has started.
        return b""


async def _first(*events: asyncio.Event, timeout: float | None = None) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
