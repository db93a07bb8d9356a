"""Running due jobs one after the other, in the caller's thread or loop: `App.work_once` and `App.drain`."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

from sidework.core.job import Job, JobRow, JobState
from sidework.core.ops import Op, T
from sidework.core.store import BeatReply, Claim, Claimed
from sidework.errors import JobInterrupted, SideworkError
from sidework.events import JobStarted, LoopFailed
from sidework.threads import Lanes, wait_on
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.executors.base import Executor
from sidework.worker.executors.coroutine import CoroutineExecutor
from sidework.worker.executors.process import ProcessExecutor
from sidework.worker.executors.thread import ThreadExecutor, run_here
from sidework.worker.heart import Heart, new_worker_id, worker_row
from sidework.worker.kit import WorkKit
from sidework.worker.lifespan import HeldLifespan, entered
from sidework.worker.outcomes import Outcomes
from sidework.worker.setup import Setup
from sidework.worker.upkeep import announce_rescue, rescue_operation

LEASE = 30.0


@dataclass(frozen=True, slots=True)
class Ack:
    """A job that was run once, as it is now, and what it raised."""

    job: Job
    exception: BaseException | None = None


class Once:
    """Claims, runs and settles one job at a time."""

    def __init__(self, setup: Setup, queues: tuple[str, ...] | None) -> None:
        self._setup = setup
        self._queues = queues
        self._store = setup.database.store
        self._worker = new_worker_id()
        self._current: Attempt | None = None
        self._heart = Heart(setup.database, self._present, self._heed, self._on_fault)

    def drain(self, limit: int | None) -> list[Ack]:
        """Run until nothing is due, or `limit` jobs have run."""
        run, acks = self._setup.database.run, list[Ack]()
        self._setup.import_tasks()
        with _Loop(self._setup.database.backend.aowned.close) as loop, ExitStack() as stack:
            kit = WorkKit(self._setup, loop.wait_for)
            outcomes = Outcomes(self._setup.events, self._setup.registry, self._setup.hooks, loop.wait_for)
            if self._setup.hooks.lifespan is not None:
                held = HeldLifespan(self._setup.hooks.lifespan)
                kit.state = loop.wait_for(held.enter())
                stack.callback(lambda: loop.wait_for(held.leave()))
            self._heart.start()
            stack.callback(self._retire)
            for entry in run(rescue_operation(self._setup)):
                announce_rescue(self._setup, outcomes.failed, entry)
            while (limit is None or len(acks) < limit) and (row := _first(run(self._claim))) is not None:
                attempt = self._begin(row)
                try:
                    ended = self._run_one(attempt, kit, loop)
                except BaseException as error:  # Ctrl-C, or a loop that runs in this thread already
                    run(self._settlement(_interrupted(attempt, error)))
                    raise
                is_refused = not ended.is_written and (ended.settlement is None or bool(run(self._settlement(ended))))
                acks.append(self._tell(ended, outcomes, is_refused=is_refused))
                loop.raise_interrupt()
        return acks

    async def adrain(self, limit: int | None) -> list[Ack]:
        """The same on the running loop; plain handlers run in a thread."""
        run, loop, acks = self._setup.database.arun, asyncio.get_running_loop(), list[Ack]()
        self._setup.import_tasks()
        wait_for = _from_thread(loop)
        kit = WorkKit(self._setup, wait_for)
        outcomes = Outcomes(self._setup.events, self._setup.registry, self._setup.hooks, wait_for)
        executors: dict[str, Executor] = {
            "async": CoroutineExecutor(kit),
            "thread": ThreadExecutor(kit),
            "process": ProcessExecutor(self._setup),
        }
        lanes = Lanes("sidework-drain")
        async with AsyncExitStack() as stack:
            stack.callback(lanes.close)
            kit.state = await stack.enter_async_context(entered(self._setup.hooks.lifespan))
            await lanes.run(self._heart.start)
            stack.push_async_callback(lanes.run, self._retire)
            for entry in await run(rescue_operation(self._setup)):
                await lanes.run(announce_rescue, self._setup, outcomes.failed, entry)
            for executor in executors.values():
                stack.push_async_callback(executor.close)
            while (limit is None or len(acks) < limit) and (row := _first(await run(self._claim))) is not None:
                attempt = self._begin(row)
                try:
                    ended = await executors[attempt.spec.executor].run(attempt)
                except BaseException as error:
                    await run(self._settlement(_interrupted(attempt, error)))
                    raise
                is_refused = not ended.is_written and (
                    ended.settlement is None or bool(await run(self._settlement(ended)))
                )
                acks.append(await lanes.run(self._tell, ended, outcomes, is_refused=is_refused))
        return acks

    def _claim(self) -> Op[Claimed]:
        registry, now = self._setup.registry, self._setup.database.now()
        return self._store.claim_jobs(Claim(self._worker, registry.crash_budgets(), 1, self._queues, now))

    def _begin(self, row: JobRow) -> Attempt:
        attempt = Attempt(row, self._setup.registry.get(row.task), self._setup.codec, self._heart.note)
        self._current = attempt
        self._setup.events.emit(JobStarted(attempt.show()))
        return attempt

    def _run_one(self, attempt: Attempt, kit: WorkKit, loop: _Loop) -> Ended:
        if attempt.spec.executor == "async":
            return loop.run(CoroutineExecutor(kit).run(attempt))
        if attempt.spec.executor == "process":
            return loop.run(_run_and_close(ProcessExecutor(self._setup), attempt))
        with _timer(attempt), loop.interruptible(attempt):
            return run_here(attempt, kit)

    def _settlement(self, ended: Ended) -> Callable[[], Op[list[Any]]]:
        settlements = [] if ended.settlement is None else [ended.settlement]
        return lambda: self._store.settle_jobs(settlements, self._setup.database.now())

    def _tell(self, ended: Ended, outcomes: Outcomes, *, is_refused: bool) -> Ack:
        self._current = None
        if is_refused:
            outcomes.refused(ended)
        else:
            outcomes.written(ended)
            if ended.job.state is JobState.FAILED and ended.exception is not None:
                outcomes.failed(ended.job, ended.exception)
        return Ack(ended.job, ended.exception)

    def _present(self) -> Any:
        names = tuple(self._setup.registry.crash_budgets())
        return worker_row(self._worker, self._queues, names, 1, LEASE)

    def _heed(self, reply: BeatReply) -> None:
        attempt = self._current
        if attempt is None:
            return
        if reply.was_lost:
            attempt.request_stop(Stop.LOST)
        elif attempt.key in reply.cancelled:
            attempt.request_stop(Stop.CANCEL)

    def _on_fault(self, error: BaseException) -> None:
        self._setup.events.emit(LoopFailed(self._worker, "heart", error, 0.0))

    def _retire(self) -> None:
        self._heart.stop()
        self._setup.database.run(lambda: self._store.retire(self._worker))


class _Loop:
    """A loop of this thread's, made when something has to be awaited, and Ctrl-C told from a handler's own exception."""

    def __init__(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._close = close
        self._runner: asyncio.Runner | None = None
        self._is_interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._runner is not None:
            with self._runner as runner:
                runner.run(self._close())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine."""
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 - documented, and made for this question
            coroutine.close()
            raise SideworkError(
                "an event loop runs in this thread already: await app.awork_once() or app.adrain() instead"
            )
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """Wait for any awaitable."""
        return self.run(_awaiting(awaitable))

    @contextmanager
    def interruptible(self, attempt: Attempt) -> Iterator[None]:
        """While a handler runs in the main thread, take Ctrl-C as a request to stop, a second one as an order."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def interrupt(*_: object) -> None:
            if self._is_interrupted and attempt.can_be_interrupted:
                raise JobInterrupted("interrupted again")  # from here it reaches a handler that sleeps, too
            self._is_interrupted = True
            attempt.request_stop(Stop.SHUTDOWN)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def raise_interrupt(self) -> None:
        """Raise the KeyboardInterrupt that a handler was spared."""
        if self._is_interrupted:
            raise KeyboardInterrupt


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _run_and_close(executor: Executor, attempt: Attempt) -> Ended:
    try:
        return await executor.run(attempt)
    finally:
        await executor.close()


def _from_thread(loop: asyncio.AbstractEventLoop) -> Callable[[Awaitable[Any]], Any]:
    return lambda awaitable: wait_on(loop, awaitable)


@contextmanager
def _timer(attempt: Attempt) -> Iterator[None]:
    if attempt.spec.timeout is None:
        yield
        return
    timer = threading.Timer(attempt.spec.timeout, attempt.request_stop, (Stop.TIMEOUT,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _interrupted(attempt: Attempt, error: BaseException) -> Ended:
    attempt.request_stop(Stop.SHUTDOWN)
    return attempt.fail(error)


def _first(claimed: Claimed) -> JobRow | None:
    return claimed.rows[0] if claimed.rows else None
