"""Checked options and names: what a user passes is refused here, once, with the value and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sidework.core.job import JobState
from sidework.errors import ConfigurationError, Seconds, delay_seconds

QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
PRIORITIES = range(-(2**31), 2**31)
MAX_TASK_NAME, MAX_TAG, MAX_TAGS = 200, 100, 20


def check_queue(name: object) -> str:
    """A queue's name, or ConfigurationError.

    >>> check_queue("mail")
    'mail'
    """
    if not isinstance(name, str) or not QUEUE_NAME.fullmatch(name):
        raise ConfigurationError(
            f"expected a queue name of 1 to 100 letters, digits and . _ : / - (the first a letter or digit), got {name!r}"
        )
    return name


def check_task_name(name: object) -> str:
    """A task's name: 1 to 200 printable characters without spaces."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_TASK_NAME or not name.isprintable() or " " in name:
        raise ConfigurationError(f"expected a task name of 1 to 200 printable characters without spaces, got {name!r}")
    return name


def check_schema(name: object) -> str:
    """The name of the PostgreSQL schema, and the table prefix elsewhere."""
    if not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        raise ConfigurationError(
            f"expected schema to be 1 to 40 lower-case letters, digits and _ (no digit first), got {name!r}"
        )
    return name


def check_priority(priority: object) -> int:
    """A priority: an integer of 32 bits; higher runs first."""
    if not isinstance(priority, int) or isinstance(priority, bool) or priority not in PRIORITIES:
        raise ConfigurationError(f"expected priority to be an integer from -2**31 to 2**31 - 1, got {priority!r}")
    return priority


def check_moment(name: str, moment: object) -> datetime:
    """An aware datetime: a naive one could mean any time zone."""
    if not isinstance(moment, datetime):
        raise TypeError(f"expected {name} to be a datetime, got {moment!r}")
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ConfigurationError(
            f"expected {name} to be a datetime with a time zone, got the naive {moment!r};"
            " write datetime(..., tzinfo=UTC) or moment.astimezone()"
        )
    return moment


def check_tags(tags: object) -> tuple[str, ...]:
    """Tags: up to 20 printable texts of up to 100 characters."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise TypeError(f"expected tags to be a list of texts, got {tags!r}")
    listed = tuple(tags)
    for tag in listed:
        if not isinstance(tag, str) or not 1 <= len(tag) <= MAX_TAG or not tag.isprintable():
            raise ConfigurationError(f"expected a tag of 1 to 100 printable characters, got {tag!r}")
    if len(listed) > MAX_TAGS:
        raise ConfigurationError(f"expected at most {MAX_TAGS} tags, got {len(listed)}")
    return listed


def check_count(name: str, value: object, *, least: int = 1, most: int = 100_000) -> int:
    """An integer between two bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigurationError(f"expected {name} to be an integer from {least} to {most}, got {value!r}")
    return value


def check_duration(name: str, value: Seconds, *, least: float = 0.0) -> float:
    """A duration in seconds of at least `least`."""
    try:
        seconds = delay_seconds(value)
    except (ConfigurationError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from None
    if seconds < least:
        raise ConfigurationError(f"expected {name} to be at least {least:g} s, got {value!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class Retention:
    """How long finished jobs are kept, by state and by the time they finished; None keeps them for ever.

    >>> Retention(done=timedelta(hours=1), failed=None).ages()
    {<JobState.DONE: 'done'>: 3600.0, <JobState.CANCELLED: 'cancelled'>: 604800.0}
    """

    done: Seconds | None = field(default=timedelta(days=7))
    failed: Seconds | None = field(default=timedelta(days=30))
    cancelled: Seconds | None = field(default=timedelta(days=7))

    def ages(self) -> dict[JobState, float]:
        """The states that are pruned, and after how many seconds."""
        kept = {JobState.DONE: self.done, JobState.FAILED: self.failed, JobState.CANCELLED: self.cancelled}
        return {state: check_duration(state.value, age) for state, age in kept.items() if age is not None}


QueueChoice = Iterable[str] | Mapping[str, int] | str | None


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker is told: see `App.worker`. Durations are seconds."""

    lanes: tuple[QueueLane, ...]
    concurrency: int
    poll_interval: float
    shutdown_timeout: float
    lease: float
    retention: Retention
    stop_grace: float = 5.0
    """How long a handler that was asked to stop has for an answer, before it is left behind."""


@dataclass(frozen=True, slots=True)
class QueueLane:
    """Queues that share slots: None is every queue, several are a strict order."""

    queues: tuple[str, ...] | None
    concurrency: int


def queue_lanes(queues: QueueChoice, concurrency: int) -> tuple[QueueLane, ...]:
    """One lane for all queues or a strict list, one a queue for a dict of concurrencies."""
    if isinstance(queues, Mapping):
        if not queues:
            raise ConfigurationError("expected queues to name at least one queue, got {}")
        return tuple(
            QueueLane((check_queue(name),), check_count(f"concurrency of {name}", count))
            for name, count in queues.items()
        )
    return (QueueLane(queue_order(queues), concurrency),)


def queue_order(queues: Iterable[str] | str | None) -> tuple[str, ...] | None:
    """A strict order of queue names, each once; None is every queue."""
    if queues is None:
        return None
    names = [queues] if isinstance(queues, str) else list(queues)
    if not names:
        raise ConfigurationError("expected queues to name at least one queue, or None for every queue, got []")
    return tuple(dict.fromkeys(check_queue(name) for name in names))
