"""A handler's transaction: ours to begin, the handler's to use, ours to settle and commit.

A sentinel savepoint of random name stands before the handler's first statement. It can be released only where the
handler left the transaction as it was; after that the job is settled in it, fenced, and both commit together.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

from sidework.core.job import JobRow, JobState
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Op
from sidework.core.store import JobFilter, Store
from sidework.drivers.base import AsyncHandle, Handle, adrive, drive
from sidework.drivers.owned import AsyncOwned, AsyncRunner, Owned, Runner, adiscard, discard
from sidework.drivers.recognize import arecognize, recognize
from sidework.errors import LeaseLost, TransactionBroken, TransactionCommitted, Unavailable


class Source(Protocol):
    """Where a handler's connection comes from, and where it goes afterwards."""

    def open(self) -> Handle: ...

    def close(self, handle: Any, *, is_clean: bool) -> None: ...


class AsyncSource(Protocol):
    """The same, async."""

    async def open(self) -> AsyncHandle: ...

    async def close(self, handle: Any, *, is_clean: bool) -> None: ...


class PoolSource:
    """Connections of ours, taken out of autocommit for the handler; `gate` lets one through where there is one writer."""

    def __init__(self, owned: Owned, gate: Lock | None = None) -> None:
        self._owned = owned
        self._gate = gate

    def open(self) -> Handle:
        if self._gate is not None:
            self._gate.acquire()
        try:
            handle = self._owned.take()
            handle.set_autocommit(False)
        except BaseException:
            self._leave()
            raise
        return handle

    def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            if is_clean:
                handle.set_autocommit(True)
                self._owned.give(handle)
            else:
                discard(handle)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._gate is not None:
            self._gate.release()


class AsyncPoolSource:
    """The same, async."""

    def __init__(self, owned: AsyncOwned, gate: Lock | None = None) -> None:
        self._owned = owned
        self._gate = gate

    async def open(self) -> AsyncHandle:
        while self._gate is not None and not self._gate.acquire(blocking=False):  # noqa: ASYNC110 - a thread may hold it
            await asyncio.sleep(_GATE_PAUSE)  # waiting in a thread of its own could not be cancelled
        try:
            handle = await self._owned.take()
            await handle.set_autocommit(False)
        except BaseException:
            self._leave()
            raise
        return handle

    async def close(self, handle: Any, *, is_clean: bool) -> None:
        try:
            if is_clean:
                await handle.set_autocommit(True)
                await self._owned.give(handle)
            else:
                await adiscard(handle)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._gate is not None:
            self._gate.release()


_GATE_PAUSE = 0.002


class FactorySource:
    """What the application's `job_connection` makes: a Session of a sessionmaker, or Django's connection of an alias."""

    def __init__(self, factory: Callable[[], Any] | str, database: str) -> None:
        self._factory = factory
        self._database = database

    def open(self) -> Handle:
        return recognize(self._factory if isinstance(self._factory, str) else self._factory(), self._database)

    def close(self, handle: Any, *, is_clean: bool) -> None:
        if not isinstance(self._factory, str):  # Django keeps its connection for the thread
            handle.close()
        elif not is_clean:
            discard(handle)


class AsyncFactorySource:
    """The same for an async factory."""

    def __init__(self, factory: Callable[[], Any], database: str) -> None:
        self._factory = factory
        self._database = database

    async def open(self) -> AsyncHandle:
        return arecognize(self._factory(), self._database)

    async def close(self, handle: Any, *, is_clean: bool) -> None:
        await handle.close()


class JobTransaction:
    """The transaction of one attempt of a sync handler; opened when its connection is first asked for."""

    def __init__(self, store: Store, source: Source, aside: Runner, job: JobRow) -> None:
        self._store = store
        self._source = source
        self._aside = aside
        self._job = job
        self._name = sentinel_name()
        self._handle: Handle | None = None
        self._marker = ""

    def open(self) -> Any:
        """The raw connection, its transaction begun and watched."""
        if self._handle is None:
            handle = self._source.open()
            try:
                handle.begin()
                self._marker = drive(self._sentinel(), handle.execute)
            except Exception as error:
                self._source.close(handle, is_clean=False)
                raise handle.translate(error) from error
            except BaseException:
                self._source.close(handle, is_clean=False)
                raise
            self._handle = handle
        return self._handle.raw

    @property
    def is_open(self) -> bool:
        """Has the handler asked for the connection?"""
        return self._handle is not None

    def commit(self, settlement: Settlement, now: int | None) -> None:
        """Settle the job in the handler's transaction and commit both.

        Raises TransactionCommitted, TransactionBroken, LeaseLost, or a DatabaseError: nothing of the handler is stored
        then, but for what it committed itself.
        """
        handle = self._handle
        if handle is None:
            raise ValueError("commit() needs an open transaction")
        try:
            self._release(handle)
            if drive(self._store.settle_jobs([settlement], now), handle.execute):
                raise LeaseLost(f"job {settlement.id} was taken from this attempt; its transaction is rolled back")
            self._commit(handle, settlement)
        except BaseException:
            self.abort()
            raise
        self._handle = None
        self._source.close(handle, is_clean=True)

    def abort(self) -> None:
        """Roll back whatever is open."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        is_clean = False
        try:
            handle.rollback()
            is_clean = not handle.is_closed()
        except Exception:  # closed or broken by the handler: the server rolls it back
            is_clean = False
        with suppress(Exception):
            self._source.close(handle, is_clean=is_clean)

    def _sentinel(self) -> Op[str]:
        return open_sentinel(self._store, self._name, self._job)

    def _release(self, handle: Handle) -> None:
        flush(handle.raw)  # an error in it is the handler's own
        try:
            drive(self._store.close_sentinel(self._name, self._marker), handle.execute)
        except Exception as error:
            fault = handle.translate(error)
            if isinstance(fault, Unavailable):
                raise fault from error
            self.abort()
            raise explain_release(self._aside.run(lambda: self._store.read_sentinel(self._marker)), error) from error

    def _commit(self, handle: Handle, settlement: Settlement) -> None:
        try:
            handle.commit()
        except Exception as error:
            fault = handle.translate(error)
            rows = self._aside.run(lambda: self._store.find_jobs(JobFilter(ids=(settlement.id,), limit=1)))
            if not any(is_settled(row.token, row.state, settlement) for row in rows):
                raise fault from error


class AsyncJobTransaction:
    """The transaction of one attempt of an async handler; open before the handler starts."""

    def __init__(self, store: Store, source: AsyncSource, aside: AsyncRunner, job: JobRow) -> None:
        self._store = store
        self._source = source
        self._aside = aside
        self._job = job
        self._name = sentinel_name()
        self._handle: AsyncHandle | None = None
        self._marker = ""

    async def open(self) -> Any:
        """The raw connection, its transaction begun and watched."""
        handle = await self._source.open()
        try:
            await handle.begin()
            self._marker = await adrive(self._sentinel(), handle.execute)
        except Exception as error:
            await self._source.close(handle, is_clean=False)
            raise handle.translate(error) from error
        except BaseException:
            await self._source.close(handle, is_clean=False)
            raise
        self._handle = handle
        return handle.raw

    async def commit(self, settlement: Settlement, now: int | None) -> None:
        """Settle the job in the handler's transaction and commit both; raises as `JobTransaction.commit` does."""
        handle = self._handle
        if handle is None:
            raise ValueError("commit() needs an open transaction")
        try:
            await self._release(handle)
            if await adrive(self._store.settle_jobs([settlement], now), handle.execute):
                raise LeaseLost(f"job {settlement.id} was taken from this attempt; its transaction is rolled back")
            await self._commit(handle, settlement)
        except BaseException:
            await self.abort()
            raise
        self._handle = None
        await self._source.close(handle, is_clean=True)

    async def abort(self) -> None:
        """Roll back whatever is open."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        is_clean = False
        try:
            await handle.rollback()
            is_clean = not handle.is_closed()
        except Exception:  # closed or broken by the handler: the server rolls it back
            is_clean = False
        with suppress(Exception):
            await self._source.close(handle, is_clean=is_clean)

    def _sentinel(self) -> Op[str]:
        return open_sentinel(self._store, self._name, self._job)

    async def _release(self, handle: AsyncHandle) -> None:
        pending = flush(handle.raw)  # an error in it is the handler's own
        if pending is not None:
            await pending
        try:
            await adrive(self._store.close_sentinel(self._name, self._marker), handle.execute)
        except Exception as error:
            fault = handle.translate(error)
            if isinstance(fault, Unavailable):
                raise fault from error
            await self.abort()
            is_committed = await self._aside.run(lambda: self._store.read_sentinel(self._marker))
            raise explain_release(is_committed, error) from error

    async def _commit(self, handle: AsyncHandle, settlement: Settlement) -> None:
        try:
            await handle.commit()
        except Exception as error:
            fault = handle.translate(error)
            rows = await self._aside.run(lambda: self._store.find_jobs(JobFilter(ids=(settlement.id,), limit=1)))
            if not any(is_settled(row.token, row.state, settlement) for row in rows):
                raise fault from error


def sentinel_name() -> str:
    """A name that no savepoint of the handler's can have."""
    return f"sidework_{secrets.token_hex(6)}"


def open_sentinel(store: Store, name: str, job: JobRow) -> Op[str]:
    """The operation that begins watching a claimed job's transaction."""
    if job.token is None:
        raise ValueError(f"job {job.id} is {job.state}, not running")
    return store.open_sentinel(name, job.id, job.token)


def flush(raw: Any) -> Any:
    """Send what an ORM session still holds back; an awaitable where the session is async, None where there is none."""
    send = getattr(raw, "flush", None)
    return None if send is None else send()


def is_settled(token: int | None, state: JobState, settlement: Settlement) -> bool:
    """Did the COMMIT whose answer was lost store this settlement?"""
    return token == settlement.token and state == settlement.state


def explain_release(is_committed: bool, error: Exception) -> Exception:
    """Why the sentinel could not be released."""
    if is_committed:
        return TransactionCommitted(
            "the handler committed its transaction itself (COMMIT, or DDL on MySQL): what it committed stays, the rest is"
            " rolled back, and the job is not run again. Leave the commit to Sidework, or declare at_least_once"
        )
    return TransactionBroken(
        f"the handler rolled back or broke its transaction ({type(error).__name__}: {' '.join(str(error).split())[:300]});"
        " use a savepoint around statements that may fail"
    )
