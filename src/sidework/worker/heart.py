"""The heartbeat: a thread with a connection of its own, so that a busy event loop cannot silence it.

It extends the worker's lease, brings back requests to stop, and writes progress on the way.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from uuid import UUID

from sidework.connect import Database
from sidework.core.store import BeatReply, ProgressNote, WorkerRow

NOTES_EVERY = 0.5
"""Seconds between two writes of progress."""

MOST_REST = 3.0
"""Seconds between two beats at most, however long the lease: a beat also brings requests to cancel."""


def new_worker_id() -> str:
    """Host, process and a random part: no two workers ever have the same, restarted ones included."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"


def worker_row(
    id: str, queues: tuple[str, ...] | None, tasks: tuple[str, ...], concurrency: int, lease: float
) -> WorkerRow:
    """How a worker of this process presents itself."""
    return WorkerRow(id, socket.gethostname(), os.getpid(), queues, tasks, concurrency, lease)


class Heart:
    """Beats several times a lease, from `start()` to `stop()`."""

    def __init__(
        self,
        database: Database,
        present: Callable[[], WorkerRow],
        on_reply: Callable[[BeatReply], None],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._database = database
        self._present = present
        self._on_reply = on_reply
        self._on_fault = on_fault
        self._notes: dict[UUID, ProgressNote] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sidework-heart", daemon=True)

    def start(self) -> None:
        """Register the worker, in this thread so that errors are its caller's, and begin to beat."""
        self.beat(first=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what progress is left, and end the thread; the worker's row is the caller's to retire."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def note(self, note: ProgressNote) -> None:
        """Take progress to be written soon; only the newest of a job counts."""
        with self._lock:
            self._notes[note.id] = note
        self._wake.set()

    def beat(self, *, first: bool = False) -> None:
        """Extend the lease once."""
        store, row = self._database.store, self._present()
        self._on_reply(self._database.run(lambda: store.beat(row, first, self._database.now())))

    def write_notes(self) -> None:
        """Write the progress that has gathered."""
        with self._lock:
            notes, self._notes = list(self._notes.values()), {}
        if notes:
            self._database.run(lambda: self._database.store.save_progress(notes, self._database.now()))

    def _run(self) -> None:
        due = time.monotonic() + self._rest()
        while not self._over.is_set():
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            if self._over.is_set():
                break
            self._guarded(self.write_notes)
            if time.monotonic() >= due:
                self._guarded(self.beat)
                due = time.monotonic() + self._rest()
            self._over.wait(NOTES_EVERY)
        self._guarded(self.write_notes)

    def _rest(self) -> float:
        return min(self._present().lease / 3, MOST_REST)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # whatever it was: a heart that stands still gives every running job away
            self._on_fault(error)
