"""Plain handlers, in threads: told to stop by `ctx.cancelled`, and by an exception raised in their thread."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable

from sidework.errors import JobInterrupted, JobTimeout
from sidework.threads import Lanes
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.calling import Kit, run_plain
from sidework.worker.executors.base import STOP_GRACE, Answer

POLL_GRACE = 1.0
"""Seconds that a handler which polls `ctx.cancelled` has to return by itself before it is interrupted."""

_PATIENT = frozenset({Stop.CANCEL, Stop.SHUTDOWN})


class Interruption:
    """Raises an exception in the thread that made it, until it is disarmed."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._is_armed = True

    def __call__(self, reason: Stop) -> None:
        """Raise there; code that does not run Python bytecode, such as a sleep, is not interrupted."""
        with self._lock:
            if self._is_armed:
                _raise_in(self._thread, JobTimeout if reason is Stop.TIMEOUT else JobInterrupted)

    def disarm(self) -> None:
        """The handler has ended: nothing is raised from here on, and what is on its way is taken back."""
        with self._lock:
            self._is_armed = False
            _raise_in(self._thread, None)


def run_here(
    attempt: Attempt, kit: Kit, notify: Callable[[], None] | None = None, poll_grace: float = POLL_GRACE
) -> Ended:
    """Run a plain handler in this thread; a request to stop calls `notify` and interrupts the handler."""
    interruption = Interruption()

    def interrupt(reason: Stop) -> None:
        if notify is not None:
            notify()
        if reason in _PATIENT:
            timer = threading.Timer(poll_grace, interruption, [reason])
            timer.daemon = True
            timer.start()
        else:
            interruption(reason)

    try:
        attempt.on_interrupt(interrupt)
        return run_plain(attempt, kit, interruption.disarm)
    except BaseException as error:
        return attempt.fail(error)
    finally:
        interruption.disarm()
        attempt.on_interrupt(None)


class ThreadExecutor:
    """Runs attempts in threads that are kept for the next; one that never answers is left behind, and replaced."""

    def __init__(self, kit: Kit, stop_grace: float = STOP_GRACE) -> None:
        self._kit = kit
        self._stop_grace = stop_grace
        self._lanes = Lanes("sidework-handler")

    async def run(self, attempt: Attempt) -> Ended:
        """The end of the attempt."""
        loop = asyncio.get_running_loop()
        answer = Answer(loop)
        lane = self._lanes.take()
        lane.submit(lambda: self._run_in_lane(attempt, answer))
        timeout = attempt.spec.timeout
        timer = None if timeout is None else loop.call_later(timeout, attempt.request_stop, Stop.TIMEOUT)
        ended = await answer.wait()
        if timer is not None:
            timer.cancel()
        if ended is not None:
            self._lanes.give(lane)
            return ended
        lane.leave()
        return attempt.fail(
            JobInterrupted("the handler's thread did not answer when it was asked to stop; it goes on, fenced")
        )

    async def close(self) -> None:
        """Let the idle threads end."""
        self._lanes.close()

    def _run_in_lane(self, attempt: Attempt, answer: Answer) -> None:
        poll_grace = min(POLL_GRACE, self._stop_grace / 2)
        context = contextvars.Context()
        answer.give(
            context.run(run_here, attempt, self._kit, lambda: answer.expect_within(self._stop_grace), poll_grace)
        )


def _raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """CPython's own way to raise in another thread (PyThreadState_SetAsyncExc); None takes it back."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception) if exception is not None else None
    )
