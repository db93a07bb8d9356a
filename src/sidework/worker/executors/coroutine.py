"""Coroutine handlers, on the worker's loop: a timeout or a request to stop cancels them."""

from __future__ import annotations

import asyncio

from sidework.errors import JobInterrupted
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.calling import Kit, run_coroutine
from sidework.worker.executors.base import STOP_GRACE, Answer


class CoroutineExecutor:
    """Runs each attempt as a task of its own."""

    def __init__(self, kit: Kit, stop_grace: float = STOP_GRACE) -> None:
        self._kit = kit
        self._stop_grace = stop_grace
        self._left: set[asyncio.Task[Ended]] = set()

    async def run(self, attempt: Attempt) -> Ended:
        """The end of the attempt; one that swallows its cancellation is left behind after a grace."""
        loop = asyncio.get_running_loop()
        answer = Answer(loop)
        task = loop.create_task(
            run_coroutine(attempt, self._kit), name=f"sidework {attempt.spec.name} {attempt.row.id}"
        )
        task.add_done_callback(lambda done: answer.give(_end_of(done, attempt)))

        def cancel() -> None:
            if attempt.can_be_interrupted:  # it may have ended, and commit, since it was asked
                task.cancel()

        def interrupt(_: Stop) -> None:
            answer.expect_within(self._stop_grace)
            answer.call(cancel)

        attempt.on_interrupt(interrupt)
        timeout = attempt.spec.timeout
        timer = None if timeout is None else loop.call_later(timeout, attempt.request_stop, Stop.TIMEOUT)
        ended = await answer.wait()
        if timer is not None:
            timer.cancel()
        if ended is not None:
            return ended
        self._left.add(task)
        task.add_done_callback(self._left.discard)
        return attempt.fail(JobInterrupted("the handler did not answer when it was asked to stop, and was left behind"))

    async def close(self) -> None:
        """Cancel what was left behind once more."""
        for task in self._left:
            task.cancel()


def _end_of(task: asyncio.Task[Ended], attempt: Attempt) -> Ended:
    if task.cancelled():
        return attempt.fail(JobInterrupted("the handler was cancelled before it began"))
    return task.result()
