"""What the worker asks of an executor, and how an executor waits for a handler that may never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from sidework.threads import call_on
from sidework.worker.attempt import Attempt, Ended

STOP_GRACE = 5.0
"""Seconds that a handler which was asked to stop has for an answer, where no worker's options say."""


class Executor(Protocol):
    """Runs attempts to their end; never raises."""

    async def run(self, attempt: Attempt) -> Ended:
        """The end of the attempt."""
        ...

    async def close(self) -> None:
        """Release what it holds; attempts that go on are left behind."""
        ...


class Answer:
    """The end of one attempt, given from any thread; None once it was expected and did not come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[Ended | None] = loop.create_future()

    async def wait(self) -> Ended | None:
        """The answer, or None."""
        return await self._future

    def give(self, ended: Ended) -> None:
        """Answer."""
        self.call(self._set, ended)

    def expect_within(self, seconds: float) -> None:
        """From now on wait no longer than that."""
        self.call(self._loop.call_later, seconds, self._set, None)

    def call(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call on the loop, from any thread; a loop that is closed has nobody left to tell."""
        call_on(self._loop, callback, *args)

    def _set(self, ended: Ended | None) -> None:
        if not self._future.done():
            self._future.set_result(ended)
