"""One run of a worker: its loops put together, supervised, and stopped in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from sidework.core.job import JobRow
from sidework.core.lifecycle import GIVEN_BACK, settle
from sidework.core.options import QueueLane, WorkerOptions
from sidework.core.reading import show_job
from sidework.core.store import BeatReply, WorkerRow
from sidework.errors import OutcomeUnknown, SideworkError
from sidework.events import JobStarted, LeaseLapsed, LoopFailed, WorkerStopped
from sidework.threads import Lanes, wait_on
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.callbacks import FailureCalls
from sidework.worker.claimer import Claimer, Slots
from sidework.worker.executors.base import Executor
from sidework.worker.executors.coroutine import CoroutineExecutor
from sidework.worker.executors.process import ProcessExecutor
from sidework.worker.executors.thread import ThreadExecutor
from sidework.worker.heart import Heart, worker_row
from sidework.worker.kit import WorkKit
from sidework.worker.lifespan import entered
from sidework.worker.outcomes import Outcomes
from sidework.worker.settler import Key, Settler
from sidework.worker.setup import Setup
from sidework.worker.strays import Strays
from sidework.worker.upkeep import Prune, Rescue
from sidework.worker.waker import Waker

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0
"""Seconds before a loop that failed runs again: doubling, from one to the other."""

LAST_WRITES = 10.0
"""Seconds that a stopping worker spends at most on writing its last outcomes."""


class Engine:
    """Everything that runs between a worker's start and its end, on one loop."""

    def __init__(self, setup: Setup, options: WorkerOptions, worker: str) -> None:
        self._setup = setup
        self._options = options
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lanes = Lanes("sidework-worker")
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self._attempts: dict[Any, Attempt] = {}
        kit = self._kit = WorkKit(setup, self._wait_for, self._is_ending)
        outcomes = Outcomes(setup.events, setup.registry, setup.hooks, self._wait_for)
        self._heart = Heart(setup.database, self._present, self._heed, self._on_heart_fault)
        self._calls = FailureCalls(outcomes, self._lanes)
        self._settler = Settler(setup.database, outcomes, self._calls, lambda: self._wake(True), self._on_settler_fault)
        self._rescue = Rescue(setup, self._calls, lambda: self._wake(True))
        self._prune = Prune(setup, options.retention)
        self._processes = ProcessExecutor(setup, options.stop_grace)
        self._executors: dict[str, Executor] = {
            "async": CoroutineExecutor(kit, options.stop_grace),
            "thread": ThreadExecutor(kit, options.stop_grace),
            "process": self._processes,
        }
        self._claimers = [self._claimer(lane) for lane in options.lanes]
        self._strays = Strays(setup.database, worker, self._claimers, self._held, self._give_back)

    async def run(self, on_up: Callable[[], None]) -> None:
        """Run until `stop()`, or until cancelled, which stops in order too."""
        self._task = asyncio.current_task()
        self._setup.import_tasks()
        async with AsyncExitStack() as stack:
            stack.callback(self._lanes.close)
            stack.push_async_callback(self._setup.database.backend.aowned.close)
            self._kit.state = await stack.enter_async_context(entered(self._setup.hooks.lifespan))
            await self._lanes.run(self._heart.start)
            stack.push_async_callback(self._retire)
            self._setup.wakes.add(self._wake)
            stack.callback(self._setup.wakes.remove, self._wake)
            on_up()
            loops = [self._loop.create_task(self._supervise(*loop)) for loop in self._loops()]
            claims = [self._loop.create_task(self._supervise("claimer", claimer.run)) for claimer in self._claimers]
            try:
                await self._stopping.wait()
            finally:
                await self._to_its_end(self._wind_down(claims, loops))

    def stop(self) -> None:
        """Begin to stop; safe from any thread, and a second call gives unfinished jobs back without waiting."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    # jobs

    def _launch(self, rows: Sequence[JobRow], slots: Slots) -> None:
        for row in rows:
            slots.take()
            task = self._loop.create_task(self._run_job(row, slots), name=f"sidework job {row.id}")
            task.add_done_callback(lambda done: self._running.pop(done, None))
            spec = self._setup.registry.find(row.task)
            if spec is not None:
                attempt = Attempt(row, spec, self._setup.codec, self._heart.note)
                self._running[task] = self._attempts[attempt.key] = attempt

    async def _run_job(self, row: JobRow, slots: Slots) -> None:
        attempt = self._attempts.get((row.id, row.token))
        try:
            if attempt is None or self._stopping.is_set():
                self._give_back(row)
                return
            self._setup.events.emit(JobStarted(attempt.show()))
            self._settler.put(await self._run_attempt(attempt))
        finally:
            self._attempts.pop((row.id, row.token), None)
            slots.give()

    async def _run_attempt(self, attempt: Attempt) -> Ended:
        try:
            ended = await self._processes.isolate(attempt) if self._is_suspect(attempt) else None
            return ended or await self._executors[attempt.spec.executor].run(attempt)
        except asyncio.CancelledError as error:  # the loop itself ends, and we with it
            attempt.request_stop(Stop.SHUTDOWN)
            return attempt.fail(error)
        except Exception as error:  # an executor's own fault must not leave a job running for ever
            return attempt.fail(error)

    def _is_suspect(self, attempt: Attempt) -> bool:
        """Was it held by a worker that died? In a process of its own it cannot take others along again."""
        return attempt.row.crashes > 0 and attempt.spec.executor != "process"

    def _held(self) -> set[Key]:
        return self._settler.holds() | set(self._attempts)

    def _give_back(self, row: JobRow) -> None:
        settlement = settle(row, GIVEN_BACK, errors=row.errors)
        waiting = replace(row, state=settlement.state, attempt=settlement.attempt, started_at=None, worker=None)
        job = show_job(waiting, self._setup.codec, self._setup.registry.find(row.task))
        self._settler.put(Ended(job, GIVEN_BACK, settlement, None, 0.0))

    def _is_ending(self) -> bool:
        """Do we stop, or is everything on this loop being cancelled, us included?"""
        return self._stopping.is_set() or (self._task is not None and self._task.cancelling() > 0)

    # loops

    def _claimer(self, lane: QueueLane) -> Claimer:
        is_blind = self._setup.database.backend.watch is None
        waker = Waker(self._loop, self._options.poll_interval, is_blind=is_blind)
        return Claimer(self._setup, lane, self._worker, waker, self._launch)

    def _loops(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        loops: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("settler", self._settler.run),
            ("strays", self._strays.run),
            ("rescue", self._rescue.run),
            ("prune", self._prune.run),
        ]
        if self._setup.database.backend.watch is not None:
            loops.append(("watch", self._watch))
        return loops

    async def _watch(self) -> None:
        watch = self._setup.database.backend.watch
        if watch is not None:
            async for _ in watch():
                self._wake(True)

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again whenever it raises, after a pause that grows while it keeps raising."""
        pause = FIRST_PAUSE
        while True:
            began = self._loop.time()
            try:
                await run()
            except Exception as error:
                if self._loop.time() - began > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
                if isinstance(error, OutcomeUnknown):
                    self._strays.suspect()
                self._setup.events.emit(LoopFailed(self._worker, name, error, pause))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return

    def _on_settler_fault(self, error: BaseException, pause: float) -> None:
        self._setup.events.emit(LoopFailed(self._worker, "settler", error, pause))

    def _wake(self, is_certain: bool) -> None:
        for claimer in self._claimers:
            claimer.waker.wake(is_certain)

    # the heart, in its own thread

    def _present(self) -> WorkerRow:
        queues: list[str] = [name for lane in self._options.lanes for name in lane.queues or ()]
        tasks = tuple(self._setup.registry.crash_budgets())
        return worker_row(self._worker, tuple(queues) or None, tasks, self._options.concurrency, self._options.lease)

    def _heed(self, reply: BeatReply) -> None:
        attempts = list(self._attempts.values())
        if reply.was_lost:
            self._setup.events.emit(LeaseLapsed(self._worker))
            for attempt in attempts:
                attempt.request_stop(Stop.LOST)
        for key in reply.cancelled:
            if (asked := self._attempts.get(key)) is not None:
                asked.request_stop(Stop.CANCEL)

    def _on_heart_fault(self, error: BaseException) -> None:
        self._setup.events.emit(LoopFailed(self._worker, "heart", error, 0.0))

    # the end

    async def _to_its_end(self, ending: Coroutine[Any, Any, None]) -> None:
        """Wait for the end however often we are cancelled; each time is a request to hurry."""
        task = self._loop.create_task(ending)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self._hurry.set()

    async def _wind_down(self, claims: list[asyncio.Task[None]], loops: list[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for claimer in self._claimers:
            claimer.stop()
        await self._end_claims(claims)
        await self._finish_running()
        try:
            async with asyncio.timeout(LAST_WRITES):
                await self._settler.drained()
                await self._calls.drained()
        except TimeoutError:
            error = SideworkError(
                f"the last outcomes could not be written within {LAST_WRITES:g} s; their jobs run again"
            )
            self._on_settler_fault(error, 0.0)
        except Exception as fault:  # nobody supervises this last time, and what follows must be ended too
            self._on_settler_fault(fault, 0.0)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._calls.close()
        for executor in self._executors.values():
            await executor.close()

    async def _end_claims(self, claims: list[asyncio.Task[None]]) -> None:
        """Let a claim that is under way answer, so that its jobs are given back and not left to the lease."""
        _, late = await asyncio.wait(claims, timeout=LAST_WRITES)
        for claim in late:
            claim.cancel()
        await asyncio.gather(*claims, return_exceptions=True)

    async def _finish_running(self) -> None:
        if not self._running:
            return
        hurry = self._loop.create_task(self._hurry.wait())
        finished = self._loop.create_task(_all_done(list(self._running)))
        await asyncio.wait(
            {hurry, finished}, timeout=self._options.shutdown_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        hurry.cancel()
        for attempt in list(self._running.values()):
            attempt.request_stop(Stop.SHUTDOWN)
        await finished

    async def _retire(self) -> None:
        await self._lanes.run(self._heart.stop)
        database = self._setup.database
        try:
            await database.backend.worker_runner.run(lambda: database.store.retire(self._worker))
        except SideworkError as error:  # the database is away: the lease ends by itself
            self._on_heart_fault(error)
        self._setup.events.emit(WorkerStopped(self._worker))

    def _wait_for(self, awaitable: Awaitable[Any]) -> Any:
        return wait_on(self._loop, awaitable)


async def _all_done(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
