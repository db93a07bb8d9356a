"""`app.workers`: the worker processes that are registered."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime

from sidework.core.job import from_micros
from sidework.core.store import WorkerRow
from sidework.managers.base import Desk


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process as it last presented itself; times are aware, in UTC. `queues` None is every queue."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...] | None
    tasks: tuple[str, ...]
    concurrency: int
    running: int
    started_at: datetime | None
    beat_at: datetime | None
    lease_until: datetime | None


class Workers:
    """The workers of one App's database."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self) -> builtins.list[WorkerInfo]:
        """The registered workers, those that died a moment ago included, by id."""
        database = self._desk.database
        return [_info(row) for row in database.run(database.store.list_workers)]

    async def alist(self) -> builtins.list[WorkerInfo]:
        """The same from a coroutine."""
        database = self._desk.database
        return [_info(row) for row in await database.arun(database.store.list_workers)]


def _info(row: WorkerRow) -> WorkerInfo:
    return WorkerInfo(
        id=row.id,
        host=row.host,
        pid=row.pid,
        queues=row.queues,
        tasks=row.tasks,
        concurrency=row.concurrency,
        running=row.running,
        started_at=from_micros(row.started_at),
        beat_at=from_micros(row.beat_at),
        lease_until=from_micros(row.lease_until),
    )
