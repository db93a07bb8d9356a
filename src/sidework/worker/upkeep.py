"""What any worker does now and then: take the jobs of lost workers, and remove finished jobs that are old."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from sidework.core.failure import add_error
from sidework.core.job import Job, JobRow, JobState
from sidework.core.lifecycle import Settlement, judge_loss, settle
from sidework.core.ops import Op
from sidework.core.options import Retention
from sidework.core.reading import show_job
from sidework.core.store import Rescued
from sidework.errors import WorkerLost
from sidework.events import JobRescued, JobsPruned
from sidework.worker.callbacks import FailureCalls
from sidework.worker.setup import Setup

RESCUE_EVERY, PRUNE_EVERY = 5.0, 60.0
BATCH = 200


class Rescue:
    """Takes the jobs of workers whose lease has lapsed."""

    def __init__(self, setup: Setup, calls: FailureCalls, on_released: Callable[[], None]) -> None:
        self._setup = setup
        self._calls = calls
        self._on_released = on_released

    async def run(self) -> None:
        """Look every few seconds, never in step with other workers."""
        while True:
            await asyncio.sleep(RESCUE_EVERY * random.uniform(0.5, 1.0))
            while await self.run_once() == BATCH:
                pass

    async def run_once(self) -> int:
        """Take one batch; how many jobs it was."""
        rescued = await self._setup.database.backend.worker_runner.run(rescue_operation(self._setup))
        for entry in rescued:
            announce_rescue(self._setup, self._calls.begin, entry)
        if rescued:
            self._on_released()
        return len(rescued)


class Prune:
    """Removes finished jobs by age, in small batches."""

    def __init__(self, setup: Setup, retention: Retention) -> None:
        self._setup = setup
        self._ages = {state: round(age * 1_000_000) for state, age in retention.ages().items()}

    async def run(self) -> None:
        """Look every minute."""
        while True:
            await asyncio.sleep(PRUNE_EVERY * random.uniform(0.5, 1.0))
            while await self.run_once() >= BATCH:
                pass

    async def run_once(self) -> int:
        """Remove one batch; how many jobs it was."""
        database = self._setup.database
        count = await database.backend.worker_runner.run(
            lambda: database.store.prune_jobs(self._ages, BATCH, database.now())
        )
        if count:
            self._setup.events.emit(JobsPruned(count))
        return count


def rescue_operation(setup: Setup) -> Callable[[], Op[list[Rescued]]]:
    """One batch of the rescue, as an operation."""
    return lambda: setup.database.store.rescue_jobs(_judge, BATCH, setup.database.now())


def announce_rescue(setup: Setup, on_failed: Callable[[Job, BaseException], None], entry: Rescued) -> None:
    """Tell of a rescued job, and of its failure where its budget of crashes was used."""
    row, settlement = entry.row, entry.settlement
    after = replace(
        row, state=settlement.state, attempt=settlement.attempt, crashes=settlement.crashes, errors=settlement.errors
    )
    job = show_job(after, setup.codec, setup.registry.find(row.task))
    setup.events.emit(JobRescued(job, row.worker or ""))
    if settlement.state is JobState.FAILED:
        on_failed(job, _loss(row))


def _judge(row: JobRow, now: int) -> Settlement:
    errors = add_error(row.errors, _loss(row), attempt=row.attempt, at=now)
    return settle(row, judge_loss(row), errors=errors)


def _loss(row: JobRow) -> WorkerLost:
    return WorkerLost(f"worker {row.worker} died or was lost while it ran attempt {row.attempt}")
