"""What the calls of handlers share in one worker: its middleware and state, and where transactions come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sidework.drivers.sources import AsyncFactorySource, AsyncPoolSource, AsyncSource, FactorySource, PoolSource, Source
from sidework.drivers.transaction import AsyncJobTransaction, JobTransaction
from sidework.worker.attempt import Attempt
from sidework.worker.setup import Middleware, Setup


class WorkKit:
    """The `Kit` of a worker; `wait_for` runs a coroutine on its loop from a plain handler's thread."""

    def __init__(
        self, setup: Setup, wait_for: Callable[[Awaitable[Any]], Any], is_ending: Callable[[], bool] = lambda: False
    ) -> None:
        self.middleware: Sequence[Middleware] = tuple(setup.hooks.middleware)
        self.state: Any = None
        self.wait_for = wait_for
        self.is_ending = is_ending
        self._database = setup.database
        backend = setup.database.backend
        factory = setup.job_connection
        self._source: Source = PoolSource(backend.owned, backend.turns)
        self._asource: AsyncSource = AsyncPoolSource(backend.aowned, backend.turns)
        if factory is not None:
            self._source = FactorySource(factory, backend.store.database, backend.turns)
            self._asource = AsyncFactorySource(factory, backend.store.database, backend.turns)

    def transaction(self, attempt: Attempt) -> JobTransaction:
        """The transaction of a plain handler, not yet open."""
        backend = self._database.backend
        return JobTransaction(backend.store, self._source, backend.owned, attempt.row)

    def atransaction(self, attempt: Attempt) -> AsyncJobTransaction:
        """The transaction of a coroutine handler, not yet open."""
        backend = self._database.backend
        return AsyncJobTransaction(backend.store, self._asource, backend.worker_runner, attempt.row)

    def now(self) -> int | None:
        """The test clock's time, or None."""
        return self._database.now()
