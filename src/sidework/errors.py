"""The exceptions of Sidework.

SideworkError
├── ConfigurationError        an option, URL or name cannot be used            (also ValueError)
│   └── MissingDriver         the client library of a URL is not installed
├── InvalidPayload            arguments or a result cannot be stored           (also ValueError)
├── UnknownTask               no task of that name is registered               (also LookupError)
├── JobNotFound               no job with that id is kept                      (also LookupError)
├── IdConflict                an id given again for another task or arguments
├── SchemaError               the tables are missing, older or newer
├── UnusableConnection        the caller's handle is closed, aborted or in the wrong thread
├── DatabaseError             the database refused or failed
│   ├── Transient             deadlock, lock or serialization conflict: trying again can work
│   ├── Unavailable           the server cannot be reached, or refuses for now
│   ├── OutcomeUnknown        the connection broke during COMMIT
│   └── DataRefused           the database cannot store a value that was let through
├── JobTimeout                an attempt ran longer than its task allows       (also TimeoutError)
├── JobInterrupted            raised in a handler's thread that should stop (cancelled, or the worker stops)
├── HandlerFailed             what a handler raised in a process of its own
├── WorkerLost                the worker that ran the attempt died or was lost
├── TransactionBroken         a handler rolled back or broke its transaction
├── TransactionCommitted      a handler committed its transaction itself
├── LeaseLost                 the attempt was taken away before it could settle
└── HandlerSignal             raised by a handler to end its attempt another way
    └── Snooze  RetryJob  Reject  CancelJob
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

Seconds = float | timedelta


class SideworkError(Exception):
    """Base of every exception that Sidework raises on purpose."""


class ConfigurationError(SideworkError, ValueError):
    """An option, URL or name cannot be used."""


class MissingDriver(ConfigurationError):
    """The client library that a URL needs is not installed."""


class InvalidPayload(SideworkError, ValueError):
    """Arguments, a result or a progress message cannot be stored, or stored text cannot be read."""


class UnknownTask(SideworkError, LookupError):
    """No task of that name is registered here."""


class JobNotFound(SideworkError, LookupError):
    """No job with that id is kept: it never was, was deleted, or retention removed it."""


class IdConflict(SideworkError):
    """An id was given again for another task or other arguments."""


class SchemaError(SideworkError):
    """The tables are missing, or of another version than this release works with."""


class UnusableConnection(SideworkError):
    """The caller's handle cannot take a statement: closed, aborted, or of another thread."""


class DatabaseError(SideworkError):
    """The database refused or failed; `__cause__` is the driver's own exception."""


class Transient(DatabaseError):
    """A conflict (deadlock, lock wait, serialization): the whole transaction can be tried again."""


class Unavailable(DatabaseError):
    """The server cannot be reached, was shut down, is read-only or full."""


class OutcomeUnknown(DatabaseError):
    """The connection broke during COMMIT: the work is stored or not; `ids` can be asked for or enqueued again.

    >>> OutcomeUnknown("connection lost during COMMIT", ids=()).ids
    ()
    """

    def __init__(self, message: str, *, ids: Sequence[UUID] = ()) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class DataRefused(DatabaseError):
    """The database cannot store a value that validation let through."""


class JobTimeout(SideworkError, TimeoutError):
    """An attempt ran longer than its task allows."""


class JobInterrupted(SideworkError):
    """Raised in a handler's thread that should stop: its job was cancelled, or the worker stops."""


class HandlerFailed(SideworkError):
    """What a handler raised in a process of its own, by name and message: exceptions do not cross processes."""


class WorkerLost(SideworkError):
    """The worker that ran the attempt died or was lost."""


class TransactionBroken(SideworkError):
    """A transactional handler rolled back, or left its transaction unusable: the attempt failed."""


class TransactionCommitted(SideworkError):
    """A transactional handler committed by itself: what it committed stays, and the job failed for good."""


class LeaseLost(SideworkError):
    """The attempt was taken from this worker (rescued, deleted or cancelled) before it could settle."""


class HandlerSignal(SideworkError):
    """Base of the exceptions by which a handler ends its attempt other than by returning or failing."""


class Snooze(HandlerSignal):
    """Run again after `delay` seconds (or timedelta) without spending an attempt.

    >>> raise Snooze(30)
    Traceback (most recent call last):
    sidework.errors.Snooze: again in 30 s
    """

    def __init__(self, delay: Seconds) -> None:
        self.delay = delay_seconds(delay)
        super().__init__(f"again in {self.delay:g} s")


class RetryJob(HandlerSignal):
    """Fail this attempt and run again after `delay`, whatever the retry policy would have waited."""

    def __init__(self, delay: Seconds = 0) -> None:
        self.delay = delay_seconds(delay)
        super().__init__(f"retry in {self.delay:g} s")


class Reject(HandlerSignal):
    """Fail the job for good, now, with a reason."""

    def __init__(self, reason: str = "rejected by its handler") -> None:
        super().__init__(reason)


class CancelJob(HandlerSignal):
    """End the job as cancelled, with a reason."""

    def __init__(self, reason: str = "cancelled by its handler") -> None:
        super().__init__(reason)


def delay_seconds(delay: Seconds) -> float:
    """Seconds of a duration, refused when negative or not finite.

    >>> delay_seconds(timedelta(minutes=1))
    60.0
    """
    if isinstance(delay, timedelta):
        seconds = delay.total_seconds()
    elif type(delay) in (int, float):
        seconds = float(delay)
    else:
        raise TypeError(f"expected a duration as seconds or timedelta, got {delay!r}")
    if not 0 <= seconds <= MAX_DELAY:
        raise ConfigurationError(f"expected a duration between 0 and {MAX_DELAY:g} s (100 years), got {delay!r}")
    return seconds


MAX_DELAY = 100 * 365.25 * 86_400
