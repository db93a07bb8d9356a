"""The job: what a producer asks for, what is stored, and what a user is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID


class JobState(StrEnum):
    """Where a job stands; plain strings are accepted wherever a state is.

    >>> JobState("waiting") == "waiting"
    True
    """

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class Delivery(StrEnum):
    """What a crash or an exception does to a task's job; see the contract of each in the documentation."""

    AT_LEAST_ONCE = "at_least_once"
    TRANSACTIONAL = "transactional"
    AT_MOST_ONCE = "at_most_once"


@dataclass(frozen=True, slots=True)
class AttemptError:
    """One failed attempt: its number, when it ended, and what was raised (names and text only, never rebuilt)."""

    attempt: int
    at: datetime | None
    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running handler last reported: a fraction from 0 to 1, and a message."""

    fraction: float
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One request to run a task, as it was when it was read. Times are aware, in UTC."""

    id: UUID
    task: str
    queue: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    state: JobState = JobState.WAITING
    attempt: int = 0
    max_attempts: int | None = None
    crashes: int = 0
    run_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    errors: tuple[AttemptError, ...] = ()
    result: Any = None
    progress: Progress | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is not sent yet: what `Task.job(...)` gives and `enqueue_many` takes.

    `payload` is the encoded arguments, `given` says that the caller chose the id, `run_at` and `delay` (seconds by the
    database's clock) exclude each other; neither means now.
    """

    id: UUID
    task: str
    queue: str
    payload: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    run_at: datetime | None = None
    delay: float | None = None
    max_attempts: int | None = None
    max_crashes: int | None = None
    tags: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True, slots=True)
class JobRow:
    """A stored job with its arguments, errors and result still text, and times as microseconds since 1970 in UTC.

    `run_at` and `enqueued_at` are None only on a row that was just stored by a database that does not answer with them.
    """

    id: UUID
    task: str
    queue: str
    payload: str
    priority: int
    state: JobState
    attempt: int
    max_attempts: int | None
    crashes: int
    max_crashes: int | None
    run_at: int | None
    enqueued_at: int | None
    started_at: int | None = None
    finished_at: int | None = None
    worker: str | None = None
    token: int | None = None
    errors: str | None = None
    result: str | None = None
    tags: str | None = None
    progress: str | None = None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly.

    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int | None) -> datetime | None:
    """The aware datetime in UTC of stored microseconds; None stays None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
