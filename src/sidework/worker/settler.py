"""The only writer of outcomes: gathers what ends while it writes, and tries until it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from sidework.connect import Database
from sidework.core.failure import add_error
from sidework.core.job import JobState
from sidework.core.lifecycle import Step, Verdict
from sidework.drivers.owned import pause_after
from sidework.errors import DatabaseError, DataRefused, OutcomeUnknown, SideworkError
from sidework.worker.attempt import Ended
from sidework.worker.callbacks import FailureCalls
from sidework.worker.outcomes import Outcomes

BATCH = 500

Key = tuple[UUID, int | None]
"""A job's id and an attempt's token."""


class Settler:
    """Writes settlements in batches and announces them."""

    def __init__(
        self,
        database: Database,
        outcomes: Outcomes,
        calls: FailureCalls,
        on_released: Callable[[], None],
        on_fault: Callable[[BaseException, float], None],
    ) -> None:
        self._database = database
        self._outcomes = outcomes
        self._calls = calls
        self._on_released = on_released
        self._on_fault = on_fault
        self._waiting: list[Ended] = []
        self._batch: list[Ended] = []
        self._arrived = asyncio.Event()
        self._turn = asyncio.Lock()

    def put(self, ended: Ended) -> None:
        """Take the end of an attempt to be written."""
        self._waiting.append(ended)
        self._arrived.set()

    def holds(self) -> set[Key]:
        """The attempts whose outcomes are not written yet."""
        unwritten = (ended.settlement for ended in (*self._waiting, *self._batch))
        return {(settlement.id, settlement.token) for settlement in unwritten if settlement is not None}

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._arrived.wait()
            await self.run_once()

    async def run_once(self) -> None:
        """Write what has gathered, and announce it."""
        async with self._turn:  # one batch at a time, so that `holds` knows of every one
            self._arrived.clear()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if self._waiting:
                self._arrived.set()
            self._batch = batch
            try:
                await self._write(batch)
            except BaseException:
                self._waiting[:0] = batch  # an outcome that is forgotten would hold its job for ever
                self._arrived.set()
                raise
            finally:
                self._batch = []

    async def drained(self) -> None:
        """Until nothing is left to write; writes itself, because our loop may have ended."""
        while self._waiting or self._batch:
            await self.run_once()

    async def _write(self, batch: Sequence[Ended]) -> None:
        unwritten = [ended for ended in batch if ended.settlement is not None and not ended.is_written]
        refused = await self._settle(unwritten)
        for ended in batch:
            if ended.settlement is None or ended.settlement.id in refused:
                self._outcomes.refused(ended)
            else:
                self._outcomes.written(ended)
                if ended.settlement.state is JobState.FAILED and ended.exception is not None:
                    self._calls.begin(ended.job, ended.exception)
        if any(ended.settlement is not None and ended.settlement.state is JobState.WAITING for ended in batch):
            self._on_released()

    async def _settle(self, batch: Sequence[Ended]) -> set[UUID]:
        """The ids that were refused; a fault of the database is waited out, because the outcome would be lost else."""
        settlements = [ended.settlement for ended in batch if ended.settlement is not None]
        settle = partial(self._database.store.settle_jobs, settlements, self._database.now())
        tries, was_unknown = 0, False
        while settlements:
            try:
                refused = await self._database.backend.worker_runner.run(settle)
            except DataRefused as error:
                return await self._settle_apart(batch, error)
            except DatabaseError as error:
                was_unknown = was_unknown or isinstance(error, OutcomeUnknown)
                tries += 1
                pause = pause_after(tries)
                if tries.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...: an outage is told ever more rarely
                    self._on_fault(error, pause)
                await asyncio.sleep(pause)
            else:
                # After a COMMIT without an answer, a refusal means that the first try was stored.
                return set() if was_unknown else set(refused)
        return set()

    async def _settle_apart(self, batch: Sequence[Ended], error: SideworkError) -> set[UUID]:
        """A row that the database cannot store must not hold up the others, nor keep its job running for ever."""
        if len(batch) == 1:
            return await self._settle([_without_payload(batch[0], error)])
        refused: set[UUID] = set()
        for ended in batch:
            refused |= await self._settle([ended])
        return refused


def _without_payload(ended: Ended, error: SideworkError) -> Ended:
    settlement = ended.settlement
    if settlement is None or (settlement.state is JobState.FAILED and settlement.result is None):
        raise error
    errors = add_error(None, error, attempt=settlement.attempt, at=None)
    bare = replace(settlement, state=JobState.FAILED, errors=errors, result=None, progress=None, delay=None)
    return replace(ended, settlement=bare, verdict=Verdict(Step.FAIL), exception=error)
