"""When to claim, and how many: one claimer for each lane of queues that share slots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sidework.core.job import JobRow
from sidework.core.options import QueueLane
from sidework.core.store import Claim, Claimed
from sidework.worker.setup import Setup
from sidework.worker.waker import Waker


class Slots:
    """How many more jobs may run."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._freed = asyncio.Event()

    def take(self) -> None:
        """A job starts."""
        self.free -= 1

    def give(self) -> None:
        """A job has ended."""
        self.free += 1
        self._freed.set()

    async def available(self) -> None:
        """Until a slot is free, and what else ends in the same turn of the loop has freed its slot too."""
        while self.free <= 0:
            self._freed.clear()
            await self._freed.wait()
            await asyncio.sleep(0)


class Claimer:
    """Fills its lane's slots with claimed jobs."""

    def __init__(
        self,
        setup: Setup,
        lane: QueueLane,
        worker: str,
        waker: Waker,
        launch: Callable[[Sequence[JobRow], Slots], None],
    ) -> None:
        self.slots = Slots(lane.concurrency)
        self.waker = waker
        self._setup = setup
        self._lane = lane
        self._worker = worker
        self._launch = launch
        self._is_stopped = False
        self._is_idle = False
        self.answered: asyncio.Event | None = None
        """Set when the claim that is under way is over; None where there is none."""

    async def run(self) -> None:
        """Claim until stopped."""
        while not self._is_stopped:
            await self.slots.available()
            if self._is_stopped:
                return
            self.waker.look()
            claimed = await self.run_once()
            if not claimed.rows:
                self._is_idle = not await self.waker.sleep(claimed.next_due)

    async def run_once(self) -> Claimed:
        """One claim, as large as there are free slots."""
        database, registry = self._setup.database, self._setup.registry
        budgets, limit = registry.crash_budgets(), self.slots.free
        claim = Claim(self._worker, budgets, limit, self._lane.queues, database.now(), look_first=self._is_idle)
        answered = self.answered = asyncio.Event()
        try:
            claimed = await database.backend.worker_runner.run(lambda: database.store.claim_jobs(claim))
            self._is_idle = not claimed.rows
            if claimed.rows:
                self.waker.found()
                self._launch(claimed.rows, self.slots)
        finally:
            self.answered = None
            answered.set()
        return claimed

    def stop(self) -> None:
        """Claim no more; one that is under way still answers, and its jobs are given back."""
        self._is_stopped = True
        self.slots.give()  # wakes a claimer that waits for a slot
        self.waker.wake()
