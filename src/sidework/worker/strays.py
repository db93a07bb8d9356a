"""Jobs that a claim took although its answer was lost: this worker's by their row, and run by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sidework.connect import Database
from sidework.core.job import JobRow, JobState
from sidework.core.store import JobFilter
from sidework.worker.claimer import Claimer
from sidework.worker.settler import Key

PAGE = 1000


class Strays:
    """Looks for such jobs when a claim's outcome is unknown, and hands them over to be given back."""

    def __init__(
        self,
        database: Database,
        worker: str,
        claimers: Sequence[Claimer],
        held: Callable[[], set[Key]],
        give_back: Callable[[JobRow], None],
    ) -> None:
        self._database = database
        self._worker = worker
        self._claimers = claimers
        self._held = held
        self._give_back = give_back
        self._suspected = asyncio.Event()

    def suspect(self) -> None:
        """A claim's outcome is unknown."""
        self._suspected.set()

    async def run(self) -> None:
        """Look whenever there is a suspicion."""
        while True:
            await self._suspected.wait()
            self._suspected.clear()  # first, so that a suspicion which arises while we look is not forgotten
            try:
                await self.run_once()
            except BaseException:
                self._suspected.set()
                raise

    async def run_once(self) -> int:
        """Look once; how many were found."""
        before = self._held()
        rows = await self._running()
        # What a claim took that is under way is not astray: its answer comes, and it is held then.
        for answered in [claimer.answered for claimer in self._claimers]:
            if answered is not None:
                await answered.wait()
        held = before | self._held()
        strays = [row for row in rows if (row.id, row.token) not in held]
        for row in strays:
            self._give_back(row)
        return len(strays)

    async def _running(self) -> list[JobRow]:
        found: list[JobRow] = []
        where = JobFilter(states=(JobState.RUNNING,), limit=PAGE)
        while True:
            page = await self._look(where)
            found += [row for row in page if row.worker == self._worker]
            if len(page) < PAGE:
                return found
            where = JobFilter(states=where.states, after=page[-1].id, limit=PAGE)

    async def _look(self, where: JobFilter) -> list[JobRow]:
        return await self._database.backend.worker_runner.run(lambda: self._database.store.find_jobs(where))
