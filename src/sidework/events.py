"""Typed events: one for each thing that happens, given to every subscriber; logging is one of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidework.core.failure import message_of, type_name

if TYPE_CHECKING:
    from sidework.core.job import Job


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class JobEvent(Event):
    """Something happened to a job; `job` is as it is after it."""

    job: Job


@dataclass(frozen=True, slots=True)
class JobEnqueued(JobEvent):
    """A job was stored; in a caller's transaction it exists once that commits."""


@dataclass(frozen=True, slots=True)
class JobStarted(JobEvent):
    """A handler is about to run."""


@dataclass(frozen=True, slots=True)
class JobDone(JobEvent):
    """A handler returned, and that is written; `seconds` is how long it ran."""

    seconds: float


@dataclass(frozen=True, slots=True)
class JobRetried(JobEvent):
    """An attempt failed and another one follows after `delay` seconds."""

    exception: BaseException
    delay: float


@dataclass(frozen=True, slots=True)
class JobSnoozed(JobEvent):
    """A handler asked to run again after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class JobFailed(JobEvent):
    """A job failed for good."""

    exception: BaseException


@dataclass(frozen=True, slots=True)
class JobCancelled(JobEvent):
    """A job ended as cancelled."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobGivenBack(JobEvent):
    """A stopping worker gave an unfinished job back, without spending an attempt."""


@dataclass(frozen=True, slots=True)
class JobRescued(JobEvent):
    """A job was taken from a lost worker; it waits again, or has failed where its budget of crashes was used."""

    lost_worker: str


@dataclass(frozen=True, slots=True)
class SettlementRefused(JobEvent):
    """An attempt ended, but its job had been taken away meanwhile: nothing was written."""


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """A worker has registered and claims jobs."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """A worker has stopped, its unfinished jobs given back."""

    worker: str


@dataclass(frozen=True, slots=True)
class LoopFailed(Event):
    """One of a worker's loops raised; it runs again after `pause` seconds."""

    worker: str
    loop: str
    exception: BaseException
    pause: float


@dataclass(frozen=True, slots=True)
class LeaseLapsed(Event):
    """A worker could not renew its lease in time, and others took its jobs."""

    worker: str


@dataclass(frozen=True, slots=True)
class JobsPruned(Event):
    """Retention removed finished jobs."""

    count: int


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """A callback of the application (on_failure) raised; the job's outcome stands."""

    hook: str
    exception: BaseException


Subscriber = Callable[[Event], object]


class Events:
    """Gives events to subscribers; one that raises is logged and the others still hear."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = [log_event]

    def subscribe(self, subscriber: Subscriber) -> Subscriber:
        """Add a subscriber; usable as a decorator."""
        self._subscribers.append(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, for example `log_event`."""
        self._subscribers.remove(subscriber)

    def emit(self, event: Event) -> None:
        """Tell every subscriber, in the caller's thread."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                logger.exception("a subscriber raised on %s", type(event).__name__)


logger = logging.getLogger("sidework")

_LEVELS: dict[type[Event], int] = {
    JobEnqueued: logging.DEBUG,
    JobStarted: logging.DEBUG,
    JobDone: logging.INFO,
    JobRetried: logging.WARNING,
    JobFailed: logging.ERROR,
    JobRescued: logging.WARNING,
    SettlementRefused: logging.WARNING,
    LoopFailed: logging.ERROR,
    LeaseLapsed: logging.ERROR,
    HookFailed: logging.ERROR,
    JobsPruned: logging.DEBUG,
}


def log_event(event: Event) -> None:
    """The logging subscriber: one record an event on the logger `sidework`; arguments and results are never logged."""
    level = _LEVELS.get(type(event), logging.INFO)
    if logger.isEnabledFor(level):
        facts = {name: getattr(event, name) for name in event.__dataclass_fields__ if name != "job"}
        logger.log(level, "%s", describe(event), extra={"event": type(event).__name__, **_safe(facts)})


def describe(event: Event) -> str:
    """An event in one line."""
    words = [type(event).__name__]
    if isinstance(event, JobEvent):
        job = event.job
        words.append(f"{job.task} {job.id} queue={job.queue} attempt={job.attempt}")
    for name in event.__dataclass_fields__:
        if name == "job":
            continue
        value = getattr(event, name)
        text = f"{type_name(value)}: {message_of(value)}" if isinstance(value, BaseException) else str(value)
        words.append(f"{name}={' '.join(text.split())[:500]}")
    return " ".join(words)


def _safe(facts: dict[str, object]) -> dict[str, object]:
    return {f"sidework_{name}": value for name, value in facts.items()}
