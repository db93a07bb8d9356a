"""`app.jobs`: find, count, retry, cancel, delete, reschedule, purge and wait for jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol, Self, Unpack
from uuid import UUID

from sidework.core.job import FINISHED, Job, JobRow, JobState, to_micros
from sidework.core.ops import Op, T
from sidework.core.options import check_duration, check_moment, check_priority, check_queue
from sidework.core.store import Change, JobCount, JobFilter
from sidework.errors import ConfigurationError, JobNotFound, Seconds
from sidework.managers.base import Desk
from sidework.managers.choosing import (
    Filters,
    Id,
    Ids,
    States,
    by_id,
    choose,
    choose_some,
    finished_states,
    id_list,
    one_id,
)

PURGE_BATCH = 1000


class JobCounts(int):
    """How many jobs match, and by queue and state: `counts["mail"]["waiting"]`.

    >>> counts = JobCounts([JobCount("mail", JobState.WAITING, 2), JobCount("mail", JobState.DONE, 1)])
    >>> counts == 3, counts["mail"]["waiting"], counts["mail"]["failed"]
    (True, 2, 0)
    """

    by_queue: dict[str, dict[JobState, int]]
    _rows: tuple[JobCount, ...]

    def __new__(cls, rows: Sequence[JobCount] = ()) -> Self:
        """Add up the rows of a count."""
        self = super().__new__(cls, sum(row.count for row in rows))
        self._rows = tuple(rows)
        self.by_queue = {}
        for row in rows:
            self.by_queue.setdefault(row.queue, dict.fromkeys(JobState, 0))[row.state] += row.count
        return self

    def __getnewargs__(self) -> tuple[Sequence[JobCount]]:  # type: ignore[override] # an int is copied by its number
        return (self._rows,)

    def __getitem__(self, queue: str) -> dict[JobState, int]:
        return self.by_queue.get(queue, dict.fromkeys(JobState, 0))


class Jobs:
    """The jobs of one App; each method has an async twin with the prefix `a`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.database.store

    # looking

    def get(self, id: Id) -> Job:
        """The job with that id; JobNotFound when none is kept."""
        return _only(id, self._shown(self._run(self._find(by_id(id)))))

    async def aget(self, id: Id) -> Job:
        """The same from a coroutine."""
        return _only(id, self._shown(await self._arun(self._find(by_id(id)))))

    def find(
        self, ids: Ids | None = None, *, limit: int = 100, after: Id | Job | None = None, **where: Unpack[Filters]
    ) -> list[Job]:
        """The matching jobs, newest first; `after` is the last id of the page before."""
        return self._shown(self._run(self._find(choose(ids, where, limit=limit, after=after))))

    async def afind(
        self, ids: Ids | None = None, *, limit: int = 100, after: Id | Job | None = None, **where: Unpack[Filters]
    ) -> list[Job]:
        """The same from a coroutine."""
        return self._shown(await self._arun(self._find(choose(ids, where, limit=limit, after=after))))

    def count(self, ids: Ids | None = None, **where: Unpack[Filters]) -> JobCounts:
        """How many jobs match: an int that also knows them by queue and state."""
        return JobCounts(self._run(lambda: self._store.count_jobs(choose(ids, where))))

    async def acount(self, ids: Ids | None = None, **where: Unpack[Filters]) -> JobCounts:
        """The same from a coroutine."""
        return JobCounts(await self._arun(lambda: self._store.count_jobs(choose(ids, where))))

    # changing

    def retry(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """Finished jobs wait again from attempt 0, their errors kept; waiting ones become due now. Returns what changed."""
        return self._change(self._store.retry_jobs, choose_some(ids, where, "retry"))

    async def aretry(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """The same from a coroutine."""
        return await self._achange(self._store.retry_jobs, choose_some(ids, where, "retry"))

    def cancel(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """Waiting jobs become cancelled at once, running ones are asked to stop. Returns both as they are now."""
        return self._change(self._store.cancel_jobs, choose_some(ids, where, "cancel"))

    async def acancel(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """The same from a coroutine."""
        return await self._achange(self._store.cancel_jobs, choose_some(ids, where, "cancel"))

    def delete(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """Remove jobs that are not running. Returns them as they were."""
        chosen = choose_some(ids, where, "delete")
        return self._shown(self._run(lambda: self._store.delete_jobs(chosen)))

    async def adelete(self, ids: Ids | None = None, **where: Unpack[Filters]) -> list[Job]:
        """The same from a coroutine."""
        chosen = choose_some(ids, where, "delete")
        return self._shown(await self._arun(lambda: self._store.delete_jobs(chosen)))

    def reschedule(
        self, id: Id, *, run_at: datetime | None = None, queue: str | None = None, priority: int | None = None
    ) -> Job:
        """Give a waiting job another time, queue or priority; ConfigurationError when it does not wait."""
        change = self._new_change(id, run_at, queue, priority)
        is_changed = self._run(lambda: self._store.change_job(change))
        self._desk.wakes.wake()
        return _changed(self.get(id), is_changed)

    async def areschedule(
        self, id: Id, *, run_at: datetime | None = None, queue: str | None = None, priority: int | None = None
    ) -> Job:
        """The same from a coroutine."""
        change = self._new_change(id, run_at, queue, priority)
        is_changed = await self._arun(lambda: self._store.change_job(change))
        self._desk.wakes.wake()
        return _changed(await self.aget(id), is_changed)

    def purge(self, *, older_than: Seconds = 0, state: States | None = None) -> int:
        """Remove finished jobs that finished longer ago than `older_than`, in small batches; returns how many."""
        ages, removed = purge_ages(older_than, state), 0
        while batch := self._run(lambda: self._store.prune_jobs(ages, PURGE_BATCH, self._desk.database.now())):
            removed += batch
        return removed

    async def apurge(self, *, older_than: Seconds = 0, state: States | None = None) -> int:
        """The same from a coroutine."""
        ages, removed = purge_ages(older_than, state), 0
        while batch := await self._arun(lambda: self._store.prune_jobs(ages, PURGE_BATCH, self._desk.database.now())):
            removed += batch
        return removed

    # waiting

    def join(self, ids: Ids, timeout: Seconds | None = None) -> list[Job]:
        """Wait until the jobs have finished, and return them in the order asked for.

        Raises TimeoutError after `timeout` seconds (None waits for ever), JobNotFound for one that is not kept.
        """
        wanted, deadline = id_list(ids), _deadline(timeout)
        for pause in _pauses():
            rows = self._run(self._find(JobFilter(ids=wanted, limit=None)))
            if (finished := _finished(wanted, rows)) is not None:
                return self._shown(finished)
            time.sleep(_next_pause(pause, deadline, rows))
        raise AssertionError("the pauses never end")

    async def ajoin(self, ids: Ids, timeout: Seconds | None = None) -> list[Job]:
        """The same from a coroutine."""
        wanted, deadline = id_list(ids), _deadline(timeout)
        for pause in _pauses():
            rows = await self._arun(self._find(JobFilter(ids=wanted, limit=None)))
            if (finished := _finished(wanted, rows)) is not None:
                return self._shown(finished)
            await asyncio.sleep(_next_pause(pause, deadline, rows))
        raise AssertionError("the pauses never end")

    # parts

    def _run(self, make: Callable[[], Op[T]]) -> T:
        return self._desk.database.run(make)

    async def _arun(self, make: Callable[[], Op[T]]) -> T:
        return await self._desk.database.arun(make)

    def _find(self, where: JobFilter) -> Callable[[], Op[list[JobRow]]]:
        return lambda: self._store.find_jobs(where)

    def _shown(self, rows: Sequence[JobRow]) -> list[Job]:
        return [self._desk.show(row) for row in rows]

    def _change(self, operation: _Operation, chosen: JobFilter) -> list[Job]:
        rows = self._run(lambda: operation(chosen, self._desk.database.now()))
        self._desk.wakes.wake()
        return self._shown(rows)

    async def _achange(self, operation: _Operation, chosen: JobFilter) -> list[Job]:
        rows = await self._arun(lambda: operation(chosen, self._desk.database.now()))
        self._desk.wakes.wake()
        return self._shown(rows)

    def _new_change(self, id: Id, run_at: datetime | None, queue: str | None, priority: int | None) -> Change:
        return Change(
            id=one_id(id),
            run_at=None if run_at is None else to_micros(check_moment("run_at", run_at)),
            queue=None if queue is None else check_queue(queue),
            priority=None if priority is None else check_priority(priority),
            now=self._desk.database.now(),
        )


class _Operation(Protocol):
    def __call__(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]: ...


def _only(id: Id, jobs: list[Job]) -> Job:
    if not jobs:
        raise JobNotFound(f"no job {id} is kept: it never was, was deleted, or retention removed it")
    return jobs[0]


def _changed(job: Job, is_changed: bool) -> Job:
    if not is_changed:
        raise ConfigurationError(f"job {job.id} is {job.state}, and only waiting jobs can be rescheduled")
    return job


def purge_ages(older_than: Seconds, state: States | None) -> dict[JobState, int]:
    """Microseconds since the finish, for each state that is purged."""
    age = round(check_duration("older_than", older_than) * 1_000_000)
    return dict.fromkeys(finished_states(state), age)


def _deadline(timeout: Seconds | None) -> float | None:
    return None if timeout is None else time.monotonic() + check_duration("timeout", timeout)


def _pauses() -> Iterator[float]:
    pause = 0.01
    while True:
        yield pause
        pause = min(pause * 1.5, 0.5)


def _next_pause(pause: float, deadline: float | None, rows: Sequence[JobRow]) -> float:
    if deadline is None:
        return pause
    left = deadline - time.monotonic()
    if left <= 0:
        open_ids = [str(row.id) for row in rows if row.state not in FINISHED]
        raise TimeoutError(
            f"{len(open_ids)} of {len(rows)} jobs have not finished in time, such as {open_ids[0]};"
            " does a worker run that knows their tasks? Wait longer with a greater timeout"
        )
    return min(pause, left)


def _finished(wanted: Sequence[UUID], rows: Sequence[JobRow]) -> list[JobRow] | None:
    found = {row.id: row for row in rows}
    for id in wanted:
        if id not in found:
            raise JobNotFound(f"no job {id} is kept: it never was, was deleted, or retention removed it")
    if any(row.state not in FINISHED for row in rows):
        return None
    return [found[id] for id in wanted]
