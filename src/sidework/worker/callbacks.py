"""Calls of the application's on_failure: in threads, a few at a time, so that a slow one holds up no outcome."""

from __future__ import annotations

import asyncio

from sidework.core.job import Job
from sidework.threads import Lanes
from sidework.worker.outcomes import Outcomes

MOST_AT_ONCE = 8


class FailureCalls:
    """What the settler and the rescue hand over once a job has failed for good."""

    def __init__(self, outcomes: Outcomes, lanes: Lanes) -> None:
        self._outcomes = outcomes
        self._lanes = lanes
        self._limit = asyncio.Semaphore(MOST_AT_ONCE)
        self._calls: set[asyncio.Task[None]] = set()

    def begin(self, job: Job, exception: BaseException) -> None:
        """Call as soon as there is room; does not wait for it."""
        task = asyncio.get_running_loop().create_task(self._call(job, exception))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def drained(self) -> None:
        """Until every call has returned."""
        while self._calls:
            await asyncio.wait(self._calls)

    async def close(self) -> None:
        """Wait no longer; a call that goes on in its thread is left to it."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _call(self, job: Job, exception: BaseException) -> None:
        async with self._limit:
            await self._lanes.run(self._outcomes.failed, job, exception)
