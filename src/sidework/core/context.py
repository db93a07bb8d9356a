"""What a handler can reach while it runs: its job, its transaction, the worker's state, and whether it should stop."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from sidework.core.job import Job
from sidework.errors import ConfigurationError, SideworkError


class Cancelled(Protocol):
    """An event that is set when the handler should stop; a thread polls it, or waits on it."""

    def is_set(self) -> bool:
        """Should the handler stop?"""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """The same, after waiting up to `timeout` seconds for it."""
        ...


class Context:
    """The running attempt, as its handler sees it; injected as a first parameter annotated `Context`."""

    __slots__ = ("_connection", "_report", "cancelled", "job", "state")

    def __init__(
        self,
        job: Job,
        *,
        state: Any,
        cancelled: Cancelled,
        connection: Callable[[], Any],
        report: Callable[[float, str | None], None],
    ) -> None:
        self.job = job
        """The job as it was claimed; `job.attempt` is the number of this attempt."""
        self.state = state
        """What the App's lifespan yielded."""
        self.cancelled = cancelled
        """Set when the attempt should end: its timeout has passed, it was cancelled, or the worker stops."""
        self._connection = connection
        self._report = report

    @property
    def connection(self) -> Any:
        """The transaction that commits together with the mark *done*; transactional tasks only (ConfigurationError)."""
        return self._connection()

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Report how far the attempt is: a fraction from 0 to 1, and a message; shown as `job.progress`, written now and then."""
        if type(fraction) not in (int, float) or not 0 <= fraction <= 1:
            raise ConfigurationError(f"expected progress to be a fraction from 0 to 1, got {fraction!r}")
        self._report(float(fraction), message)


running_context: ContextVar[Context] = ContextVar("sidework_context")


def current() -> Context:
    """The context of the handler that is running, from anywhere below it; SideworkError outside of one."""
    context = running_context.get(None)
    if context is None:
        raise SideworkError("no job is running here: sidework.current() works inside a handler, and in what it calls")
    return context
