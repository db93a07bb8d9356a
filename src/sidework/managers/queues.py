"""`app.queues`: the queues, their sizes, pausing and resuming."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

from sidework.core.job import JobState
from sidework.core.options import check_queue
from sidework.core.store import JobFilter
from sidework.managers.base import Desk


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: whether it is paused, and how many jobs wait and run in it."""

    name: str
    paused: bool
    waiting: int
    running: int


class Queues:
    """The queues of one App; each method has an async twin with the prefix `a`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.database.store

    def list(self) -> builtins.list[Queue]:
        """Every queue that has settings or unfinished jobs, by name."""
        rows = self._desk.database.run(self._store.list_queues)
        return [Queue(row.name, row.paused, row.waiting, row.running) for row in rows]

    async def alist(self) -> builtins.list[Queue]:
        """The same from a coroutine."""
        rows = await self._desk.database.arun(self._store.list_queues)
        return [Queue(row.name, row.paused, row.waiting, row.running) for row in rows]

    def size(self, name: str) -> int:
        """How many jobs wait in a queue, those for later included."""
        where = _waiting_in(name)
        return sum(row.count for row in self._desk.database.run(lambda: self._store.count_jobs(where)))

    async def asize(self, name: str) -> int:
        """The same from a coroutine."""
        where = _waiting_in(name)
        return sum(row.count for row in await self._desk.database.arun(lambda: self._store.count_jobs(where)))

    def pause(self, name: str) -> None:
        """Start no more jobs of a queue; running ones go on, and enqueuing still works."""
        self._desk.database.run(lambda: self._store.put_queue(check_queue(name), True))

    async def apause(self, name: str) -> None:
        """The same from a coroutine."""
        await self._desk.database.arun(lambda: self._store.put_queue(check_queue(name), True))

    def resume(self, name: str) -> None:
        """Start the jobs of a paused queue again."""
        self._desk.database.run(lambda: self._store.put_queue(check_queue(name), False))
        self._desk.wakes.wake()

    async def aresume(self, name: str) -> None:
        """The same from a coroutine."""
        await self._desk.database.arun(lambda: self._store.put_queue(check_queue(name), False))
        self._desk.wakes.wake()


def _waiting_in(name: str) -> JobFilter:
    return JobFilter(states=(JobState.WAITING,), queue=check_queue(name), limit=None)
