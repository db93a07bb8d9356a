"""Our own connections: a small pool, one operation in one transaction, tried again when the fault is transient."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import Protocol, cast
from weakref import WeakKeyDictionary, finalize

from sidework.core.ops import Op, T
from sidework.drivers.base import AsyncConnect, AsyncHandle, AsyncOwnHandle, Connect, Handle, OwnHandle, adrive, drive
from sidework.errors import OutcomeUnknown, Transient, Unavailable
from sidework.threads import Lanes

CONFLICT_TRIES = 8
"""How often an operation is tried when the database reports a conflict, before its caller hears of it."""

LOSS_TRIES = 2
"""The same for a connection lost before COMMIT: nothing was stored, and a new connection usually works."""


class Runner(Protocol):
    """Runs operations from sync code."""

    def run(self, make: Callable[[], Op[T]]) -> T: ...


class AsyncRunner(Protocol):
    """Runs operations from a coroutine."""

    async def run(self, make: Callable[[], Op[T]]) -> T: ...


class Owned:
    """A pool of sync connections: grows as needed, keeps up to `keep` idle ones, runs each operation whole.

    In a forked child the parent's connections are left alone: both would talk on them.
    """

    def __init__(self, connect: Connect, *, keep: int = 16) -> None:
        self._connect = connect
        self._keep = keep
        self._parents: list[deque[OwnHandle]] = []
        self._begin_pool()

    def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation's result, committed.

        Raises a DatabaseError: Transient or Unavailable after the tries are used, OutcomeUnknown when the connection
        broke in COMMIT.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return self._run_once(make)
            except (Transient, Unavailable) as fault:
                if not is_worth_another(fault, tries):
                    raise
            time.sleep(pause_after(tries))

    def take(self) -> OwnHandle:
        """A connection for exclusive use; hand it back with `give`, or close it."""
        if os.getpid() != self._pid:
            self._leave_parent()
        while True:
            with self._lock:
                handle = self._idle.pop() if self._idle else None
            if handle is None:
                return self._connect()
            if not handle.is_closed():
                return handle
            discard(handle)

    def give(self, handle: OwnHandle) -> None:
        """Take back a connection that is in no transaction."""
        with self._lock:
            if len(self._idle) < self._keep and not handle.is_closed():
                self._idle.append(handle)
                return
        discard(handle)

    def close(self) -> None:
        """Close the idle connections."""
        if os.getpid() != self._pid:
            self._leave_parent()
        with self._lock:
            idle = [self._idle.pop() for _ in range(len(self._idle))]
        discard_all(idle)

    def _begin_pool(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[OwnHandle] = deque()
        self._lock = threading.Lock()
        # An App that is dropped without close() leaves no connection to its finalizer, which would warn.
        self._finalizer = finalize(self, _discard_own, self._idle, self._pid)

    def _leave_parent(self) -> None:
        # Not closed, which would say goodbye in the parent's name; kept, so that no finalizer does it either.
        self._finalizer.detach()
        self._parents.append(self._idle)
        self._begin_pool()

    def _run_once(self, make: Callable[[], Op[T]]) -> T:
        handle = self.take()
        position = _Position()
        try:
            result = run_whole(handle, make(), position)
        except Exception as error:
            self._put_away(handle)
            fault = name_fault(handle.translate(error), position)
            if fault is error:
                raise
            raise fault from error
        except BaseException:
            discard(handle)
            raise
        self.give(handle)
        return result

    def _put_away(self, handle: OwnHandle) -> None:
        try:
            handle.rollback()
        except Exception:  # the fault that brought us here is the one to report
            discard(handle)
        except BaseException:
            discard(handle)
            raise
        else:
            self.give(handle)


class AsyncOwned:
    """The same with async connections, one pool for each running event loop."""

    def __init__(self, connect: AsyncConnect, *, keep: int = 16) -> None:
        self._connect = connect
        self._keep = keep
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPool] = WeakKeyDictionary()
        self._parents: list[object] = []
        self._pid = os.getpid()

    async def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation's result, committed; raises as `Owned.run` does."""
        tries = 0
        while True:
            tries += 1
            try:
                return await self._run_once(make)
            except (Transient, Unavailable) as fault:
                if not is_worth_another(fault, tries):
                    raise
            await asyncio.sleep(pause_after(tries))

    async def take(self) -> AsyncOwnHandle:
        """A connection for exclusive use on this loop; hand it back with `give`, or close it."""
        idle = await self._idle()
        while idle:
            handle = idle.pop()
            if not handle.is_closed():
                return handle
            await adiscard(handle)
        return await self._connect()

    async def give(self, handle: AsyncOwnHandle) -> None:
        """Take back a connection that is in no transaction."""
        idle = await self._idle()
        if len(idle) < self._keep and not handle.is_closed():
            idle.append(handle)
        else:
            await adiscard(handle)

    async def close(self) -> None:
        """Close the idle connections of this loop; those of other loops are closed when their loops end."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None and os.getpid() == self._pid:
            await pool.close()

    async def _idle(self) -> deque[AsyncOwnHandle]:
        if os.getpid() != self._pid:  # the parent's: see Owned
            self._parents.append(list(self._pools.items()))
            self._pools, self._pid = WeakKeyDictionary(), os.getpid()
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for other in [each for each in self._pools if each.is_closed()]:  # it ended without closing its generators
                del self._pools[other]
            pool = self._pools[loop] = _LoopPool(lambda: self._pools.pop(loop, None))
            await pool.open()
        return pool.idle

    async def _run_once(self, make: Callable[[], Op[T]]) -> T:
        handle = await self.take()
        position = _Position()
        try:
            result = await arun_whole(handle, make(), position)
        except Exception as error:
            await self._put_away(handle)
            fault = name_fault(handle.translate(error), position)
            if fault is error:
                raise
            raise fault from error
        except BaseException:
            await adiscard(handle)
            raise
        await self.give(handle)
        return result

    async def _put_away(self, handle: AsyncOwnHandle) -> None:
        try:
            await handle.rollback()
        except Exception:  # the fault that brought us here is the one to report
            await adiscard(handle)
        except BaseException:
            await adiscard(handle)
            raise
        else:
            await self.give(handle)


class _LoopPool:
    """The idle connections of one loop, closed when the loop ends.

    Nobody is told of a loop's end, but `asyncio.run` closes the async generators that are suspended then: one waits
    here for that.
    """

    def __init__(self, forget: Callable[[], object]) -> None:
        self.idle: deque[AsyncOwnHandle] = deque()
        self._forget = forget
        self._waiting = self._close_at_end()

    async def open(self) -> None:
        """Begin to wait for the loop's end."""
        await anext(self._waiting)

    async def close(self) -> None:
        """Close the connections now."""
        await self._waiting.aclose()

    async def _close_at_end(self) -> AsyncGenerator[None, None]:
        idle = self.idle
        try:
            yield
        finally:
            self._forget()
            while idle:
                await adiscard(idle.pop())


class Threaded:
    """A sync runner for the worker's loop: a whole operation in one thread hop (SQLite, PyMySQL)."""

    def __init__(self, owned: Owned) -> None:
        self._owned = owned
        self._lanes, self._pid = Lanes("sidework-database"), os.getpid()

    async def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation's result, committed; raises as `Owned.run` does."""
        if os.getpid() != self._pid:  # the parent's threads are not in a forked child
            self._lanes, self._pid = Lanes("sidework-database"), os.getpid()
        return await self._lanes.run(self._owned.run, make)


class _Position:
    """How far a transaction came: from `is_final` on, a lost connection leaves the outcome unknown."""

    is_final = False


def run_whole(handle: Handle, op: Op[T], position: _Position) -> T:
    """One operation in one transaction, what it peeks at before that; see `Statement` for alone."""
    try:
        first = next(op)
        while first.peek:
            first = op.send(handle.execute(first))
    except StopIteration as done:
        return cast("T", done.value)
    if first.alone:
        position.is_final = True
        return drive(op, handle.execute, first)
    handle.begin()
    result = drive(op, handle.execute, first)
    position.is_final = True
    handle.commit()
    return result


async def arun_whole(handle: AsyncHandle, op: Op[T], position: _Position) -> T:
    """The same on an async connection."""
    try:
        first = next(op)
        while first.peek:
            first = op.send(await handle.execute(first))
    except StopIteration as done:
        return cast("T", done.value)
    if first.alone:
        position.is_final = True
        return await adrive(op, handle.execute, first)
    await handle.begin()
    result = await adrive(op, handle.execute, first)
    position.is_final = True
    await handle.commit()
    return result


def name_fault(fault: Exception, position: _Position) -> Exception:
    """The fault as its caller should know it: a server lost in COMMIT may have stored everything."""
    if position.is_final and isinstance(fault, Unavailable):
        return OutcomeUnknown(f"the connection broke during COMMIT, so the work is stored or not: {fault}")
    return fault


def is_worth_another(fault: Exception, tries: int) -> bool:
    """Should an operation that ended with `fault` on its nth try be tried again?"""
    return tries < (CONFLICT_TRIES if isinstance(fault, Transient) else LOSS_TRIES)


def pause_after(tries: int) -> float:
    """Seconds before the next try: doubling from 10 ms, up to 1 s, half of it by chance so that rivals part."""
    return min(1.0, 0.01 * 2.0**tries) * (0.5 + random.random() / 2)


def discard(handle: Handle) -> None:
    """Close a connection that is of no more use; that it cannot even be closed changes nothing."""
    with suppress(Exception):
        handle.close()


def discard_all(handles: Iterable[Handle]) -> None:
    """Close connections that are of no more use."""
    for handle in handles:
        discard(handle)


def _discard_own(handles: Iterable[Handle], pid: int) -> None:
    if os.getpid() == pid:  # a forked child that exits without a use of its own is no owner: see Owned
        discard_all(handles)


async def adiscard(handle: AsyncHandle) -> None:
    """The same for an async connection."""
    with suppress(Exception):
        await handle.close()
