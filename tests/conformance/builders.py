"""What the tests are written with: jobs, workers and settlements at a clock of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

from sidework.core.job import JobRow, NewJob, from_micros
from sidework.core.lifecycle import DONE, GIVEN_BACK, Settlement, Step, Verdict, judge_loss, settle
from sidework.core.ops import Op, Statement
from sidework.core.store import Claim, WorkerRow

T = TypeVar("T")
Argument = TypeVar("Argument")

T0 = 1_800_000_000_000_000
"""The time at which a test begins, unless it says otherwise."""

DAY = 86_400.0
DEADLINE = 30.0
"""Seconds after which something that a test waits for has failed."""

_numbers = itertools.count(1)


def at(seconds: float) -> int:
    """So many seconds after the beginning, as the stores know time."""
    return T0 + round(seconds * 1_000_000)


def moment(seconds: float) -> datetime:
    """The same, as a producer knows time."""
    found = from_micros(at(seconds))
    assert found is not None
    return found


def new_id() -> UUID:
    """An id greater than every one before it."""
    return UUID(int=(0x0190 << 112) | (7 << 76) | (2 << 62) | next(_numbers))


def new_job(task: str = "t", queue: str = "q", payload: str = "[[],{}]", **more: Any) -> NewJob:
    """A job that is due at once; `id=` makes it one whose id the caller chose."""
    given = "id" in more
    return NewJob(**{"id": new_id(), "given": given, **more}, task=task, queue=queue, payload=payload)


def due(row: JobRow) -> int:
    """When a stored job is due."""
    assert row.run_at is not None
    return row.run_at


def enqueued(row: JobRow) -> int:
    """When a stored job was enqueued."""
    assert row.enqueued_at is not None
    return row.enqueued_at


def new_jobs(number: int, **more: Any) -> list[NewJob]:
    return [new_job(**more) for _ in range(number)]


def worker(id: str = "w", lease: float = DAY, **more: Any) -> WorkerRow:
    facts = {"host": "h", "pid": 1, "queues": None, "tasks": ("t",), "concurrency": 4}
    return WorkerRow(**{**facts, **more}, id=id, lease=lease)


def claim(
    limit: int = 10,
    *,
    queues: Sequence[str] | None = None,
    tasks: Iterable[str] | Mapping[str, int] = ("t",),
    worker: str = "w",
    now: int | None = T0,
) -> Claim:
    budgets = tasks if isinstance(tasks, Mapping) else dict.fromkeys(tasks, 3)
    return Claim(worker, budgets, limit, None if queues is None else tuple(queues), now)


def done(row: JobRow, result: str | None = None) -> Settlement:
    return settle(row, DONE, errors=row.errors, result=result)


def failed(row: JobRow, errors: str = '["broke"]') -> Settlement:
    return settle(row, Verdict(Step.FAIL), errors=errors)


def cancelled(row: JobRow) -> Settlement:
    return settle(row, Verdict(Step.CANCEL), errors=row.errors)


def retried(row: JobRow, delay: float = 0, errors: str = '["broke"]') -> Settlement:
    return settle(row, Verdict(Step.RETRY, delay=delay), errors=errors)


def snoozed(row: JobRow, delay: float = 0) -> Settlement:
    return settle(row, Verdict(Step.SNOOZE, delay=delay, charged=False), errors=row.errors)


def given_back(row: JobRow) -> Settlement:
    return settle(row, GIVEN_BACK, errors=row.errors)


def lost(row: JobRow, now: int) -> Settlement:
    """What a rescuer settles a job with."""
    return settle(row, judge_loss(row), errors=f'["lost at {now}"]')


def ids(rows: Iterable[JobRow | NewJob]) -> list[UUID]:
    return [row.id for row in rows]


def recorded(op: Op[T], log: list[Statement]) -> Op[T]:
    """The same operation, with its statements written to `log`."""
    try:
        statement = next(op)
        while True:
            log.append(statement)
            rows = yield statement
            statement = op.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def interrupted(op: Op[T], between: Callable[[], object]) -> Op[T]:
    """The same operation, with something that happens after its first statement was answered."""
    try:
        rows = yield next(op)
        between()
        while True:
            rows = yield op.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def at_once(function: Callable[[Argument], T], arguments: Sequence[Argument]) -> list[T]:
    """The function of each argument, each in a thread of its own, started together."""
    barrier = Barrier(len(arguments), timeout=DEADLINE)

    def started(argument: Argument) -> T:
        barrier.wait()
        return function(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        running = [pool.submit(started, argument) for argument in arguments]
        return [future.result(DEADLINE * 2) for future in running]
