"""Connections of the suite's own, sync and async behind one face, so that each test is written once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from sidework.core.ops import Op, Rows, Statement, Value
from sidework.drivers.base import AsyncHandle, AsyncOwnHandle, Handle, OwnHandle, adrive, drive
from sidework.drivers.borrowed import AsyncBorrowed, Borrowed
from sidework.drivers.owned import AsyncOwned, Owned

T = TypeVar("T")


class Channel(Protocol):
    """One connection with a transaction open on it, as a caller of the library would hold it."""

    @property
    def raw(self) -> Any:
        """The client library's own object."""
        ...

    def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation as it runs on a caller's connection."""
        ...

    def drive(self, make: Callable[[], Op[T]]) -> T:
        """The operation with nothing around it, as in a job's own transaction."""
        ...

    def execute(self, sql: str, **params: Value) -> Rows: ...
    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class Line(Protocol):
    """A pool of connections of its own; used by one thread at a time."""

    def run(self, make: Callable[[], Op[T]]) -> T: ...
    def open(self) -> Channel: ...

    def reset(self) -> None:
        """Roll back what is open."""
        ...

    def close(self) -> None: ...


class SyncChannel:
    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        handle.begin()

    @property
    def raw(self) -> Any:
        return self._handle.raw

    def run(self, make: Callable[[], Op[T]]) -> T:
        return Borrowed(self._handle).run(make)

    def drive(self, make: Callable[[], Op[T]]) -> T:
        return drive(make(), self._handle.execute)

    def execute(self, sql: str, **params: Value) -> Rows:
        return self._handle.execute(Statement(sql, params))

    def begin(self) -> None:
        self._handle.begin()

    def commit(self) -> None:
        self._handle.commit()

    def rollback(self) -> None:
        self._handle.rollback()


class SyncLine:
    def __init__(self, pool: Owned) -> None:
        self._pool = pool
        self._taken: list[OwnHandle] = []

    def run(self, make: Callable[[], Op[T]]) -> T:
        return self._pool.run(make)

    def open(self) -> Channel:
        handle = self._pool.take()
        self._taken.append(handle)
        return SyncChannel(handle)

    def reset(self) -> None:
        while self._taken:
            handle = self._taken.pop()
            handle.rollback()
            self._pool.give(handle)

    def close(self) -> None:
        self.reset()
        self._pool.close()


class AsyncChannel:
    def __init__(self, handle: AsyncHandle, runner: asyncio.Runner) -> None:
        self._handle = handle
        self._runner = runner
        self.begin()

    @property
    def raw(self) -> Any:
        return self._handle.raw

    def run(self, make: Callable[[], Op[T]]) -> T:
        return self._runner.run(AsyncBorrowed(self._handle).run(make))

    def drive(self, make: Callable[[], Op[T]]) -> T:
        return self._runner.run(adrive(make(), self._handle.execute))

    def execute(self, sql: str, **params: Value) -> Rows:
        return self._wait(self._handle.execute(Statement(sql, params)))

    def begin(self) -> None:
        self._wait(self._handle.begin())

    def commit(self) -> None:
        self._wait(self._handle.commit())

    def rollback(self) -> None:
        self._wait(self._handle.rollback())

    def _wait(self, awaitable: Awaitable[T]) -> T:
        return self._runner.run(_coroutine(awaitable))


class AsyncLine:
    def __init__(self, pool: AsyncOwned) -> None:
        self._pool = pool
        self._runner = asyncio.Runner()
        self._taken: list[AsyncOwnHandle] = []

    def run(self, make: Callable[[], Op[T]]) -> T:
        return self._runner.run(self._pool.run(make))

    def open(self) -> Channel:
        handle = self._runner.run(self._pool.take())
        self._taken.append(handle)
        return AsyncChannel(handle, self._runner)

    def reset(self) -> None:
        self._runner.run(self._reset())

    def close(self) -> None:
        self.reset()
        self._runner.run(self._pool.close())
        self._runner.close()

    async def _reset(self) -> None:
        while self._taken:
            handle = self._taken.pop()
            await handle.rollback()
            await self._pool.give(handle)


async def _coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
