"""Threads that are kept for the next call. Unlike the standard pool's they are daemons and still work while the interpreter
exits, so that a background worker can give its jobs back then.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """One thread and what it is given to do."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def submit(self, work: Callable[[], None]) -> None:
        """Run `work` next; it must not raise."""
        self._work.put(work)

    def leave(self) -> None:
        """End the thread once it is done."""
        self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # what it holds on to should not wait for the next


class Lanes:
    """As many threads as calls run at a time, awaited from any loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[Lane] = []
        self._is_closed = False
        self._lock = threading.Lock()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises; cancelling does not stop it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def answer(setter: Callable[[Any], None], value: object) -> None:
            if not future.done():
                setter(value)

        def work() -> None:
            try:
                value: Any = function(*args, **kwargs)
                setter: Callable[[Any], None] = future.set_result
            except BaseException as error:
                value, setter = error, future.set_exception
            self.give(lane)
            call_on(loop, answer, setter, value)

        lane = self.take()
        lane.submit(work)
        return await future

    def take(self) -> Lane:
        """An idle thread, or a new one."""
        with self._lock:
            return self._idle.pop() if self._idle else Lane(self._name)

    def give(self, lane: Lane) -> None:
        """Keep a thread for the next call."""
        with self._lock:
            if not self._is_closed:
                self._idle.append(lane)
                return
        lane.leave()

    def close(self) -> None:
        """Let the threads end, the busy ones when they are done."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.leave()


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
    """Call on a loop from any thread; one that is closed, or closes right now, has nobody left to tell."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *args)


def wait_on(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[T]) -> T:
    """Wait, in another thread than the loop's, for what the loop awaits; nothing that it raises ends the loop."""
    value, error = asyncio.run_coroutine_threadsafe(_caught(awaitable), loop).result()
    if error is not None:
        raise error
    return cast("T", value)


async def _caught(awaitable: Awaitable[T]) -> tuple[T | None, BaseException | None]:
    try:
        return await awaitable, None
    except BaseException as error:
        return None, error
