"""Where a handler's connection comes from, and where it goes afterwards; used by transaction.py and the worker's kit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from sidework.drivers.base import AsyncHandle, Handle
from sidework.drivers.owned import AsyncOwned, Owned, adiscard, discard
from sidework.drivers.recognize import arecognize, is_async_handle, recognize
from sidework.errors import ConfigurationError, Transient, Unavailable


class Source(Protocol):
    """A place to borrow a connection for one handler, in the handler's own thread.

    `is_ambient`: the handler reaches the connection without asking for it (Django), so it is opened before the handler.
    """

    is_ambient: bool

    def open(self) -> Handle: ...

    def close(self, handle: Any, *, is_clean: bool) -> None: ...

    def let_go(self) -> None:
        """Give up what an interrupted `open` still holds; harmless where that is nothing."""
        ...


class AsyncSource(Protocol):
    """The same, async: one handler is one asyncio task."""

    async def open(self) -> AsyncHandle: ...

    async def close(self, handle: Any, *, is_clean: bool) -> None: ...

    def let_go(self) -> None: ...


class Turns:
    """Lets one at a time through where a database has one writer; knows who is inside, so that leaving twice is harmless.

    An exception can be raised in a waiting thread at any moment, and must not leave it inside.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside: Hashable | None = None

    def enter(self, who: Hashable) -> None:
        """Wait until nobody is inside; in slices, because a thread that waits for longer could not be interrupted."""
        with self._condition:
            while not self._take(who):
                self._condition.wait(_SLICE)

    async def aenter(self, who: Hashable) -> None:
        """The same on a loop."""
        while not self._try_enter(who):  # noqa: ASYNC110 - a thread may be inside, and cannot set an event of a loop
            await asyncio.sleep(_PAUSE)

    def leave(self, who: Hashable) -> None:
        """Let the next one in."""
        with self._condition:
            if self._inside == who:
                self._inside = None
                self._condition.notify()

    def _try_enter(self, who: Hashable) -> bool:
        with self._condition:
            return self._take(who)

    def _take(self, who: Hashable) -> bool:
        if self._inside is None:
            self._inside = who
        return self._inside == who


_SLICE, _PAUSE = 0.05, 0.002


class PoolSource:
    """Connections of ours, taken out of autocommit for the handler, and renewed after it or closed."""

    is_ambient = False

    def __init__(self, owned: Owned, turns: Turns | None) -> None:
        self._owned = owned
        self._turns = turns

    def open(self) -> Handle:
        if self._turns is not None:
            self._turns.enter(threading.get_ident())
        handle = self._owned.take()
        try:
            handle.set_autocommit(False)
        except BaseException as error:
            try:
                if isinstance(error, Exception):
                    raise_fault(handle, error)
                raise
            finally:
                discard(handle)
        return handle

    def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            fresh = _renewed(handle) if is_clean else None
            if fresh is None:
                discard(handle)
            else:
                self._owned.give(fresh)
        finally:
            self.let_go()

    def let_go(self) -> None:
        if self._turns is not None:
            self._turns.leave(threading.get_ident())


class AsyncPoolSource:
    """The same, async."""

    def __init__(self, owned: AsyncOwned, turns: Turns | None) -> None:
        self._owned = owned
        self._turns = turns

    async def open(self) -> AsyncHandle:
        if self._turns is not None:
            await self._turns.aenter(asyncio.current_task())
        handle = await self._owned.take()
        try:
            await handle.set_autocommit(False)
        except BaseException as error:
            try:
                if isinstance(error, Exception):
                    raise_fault(handle, error)
                raise
            finally:
                await adiscard(handle)
        return handle

    async def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            fresh = await _arenewed(handle) if is_clean else None
            if fresh is None:
                await adiscard(handle)
            else:
                await self._owned.give(fresh)
        finally:
            self.let_go()

    def let_go(self) -> None:
        if self._turns is not None:
            self._turns.leave(asyncio.current_task())


class FactorySource:
    """What the application's `job_connection` makes: a Session of a sessionmaker, or Django's connection of an alias."""

    def __init__(self, factory: Callable[[], Any] | str, database: str, turns: Turns | None) -> None:
        self._factory = factory
        self._database = database
        self._turns = turns
        self.is_ambient = isinstance(factory, str)

    def open(self) -> Handle:
        if self._turns is not None:
            self._turns.enter(threading.get_ident())
        if isinstance(self._factory, str):
            _close_old_django_connections()
            return recognize(self._factory, self._database)
        made = self._factory()
        if is_async_handle(made):
            raise ConfigurationError(
                f"job_connection made an async handle ({type(made).__name__}), which a plain handler cannot use: declare"
                " the handler with `async def`, or give job_connection a factory of sync ones such as sessionmaker"
            )
        return recognize(made, self._database)

    def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            if not isinstance(self._factory, str):
                handle.close()
                return
            if not is_clean:
                discard(handle)
            _close_old_django_connections()
        finally:
            self.let_go()

    def let_go(self) -> None:
        if self._turns is not None:
            self._turns.leave(threading.get_ident())


class AsyncFactorySource:
    """The same for an async factory."""

    def __init__(self, factory: Callable[[], Any], database: str, turns: Turns | None) -> None:
        self._factory = factory
        self._database = database
        self._turns = turns

    async def open(self) -> AsyncHandle:
        if self._turns is not None:
            await self._turns.aenter(asyncio.current_task())
        made = self._factory()
        if not is_async_handle(made):
            raise ConfigurationError(
                f"job_connection made {type(made).__name__}, which is no async handle, and a coroutine handler cannot use"
                " it: declare the handler without `async`, or give job_connection a factory such as async_sessionmaker"
            )
        return arecognize(made, self._database)

    async def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            await handle.close()
        finally:
            self.let_go()

    def let_go(self) -> None:
        if self._turns is not None:
            self._turns.leave(asyncio.current_task())


def raise_fault(handle: Handle | AsyncHandle, error: Exception) -> NoReturn:
    """The error in our words where the database is away; else as the library raised it, for the task's retry policy."""
    fault = handle.translate(error)
    if fault is not error and isinstance(fault, (Unavailable, Transient)):
        raise fault from error
    raise error


def _renewed(handle: Any) -> Any:
    with suppress(Exception):  # what cannot be renewed is closed; the job's end is decided already
        return handle.renew()
    return None


async def _arenewed(handle: Any) -> Any:
    with suppress(Exception):  # the same
        return await handle.renew()
    return None


def _close_old_django_connections() -> None:
    from django.db import close_old_connections

    close_old_connections()
