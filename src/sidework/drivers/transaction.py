"""A handler's transaction: ours to begin, the handler's to use, ours to settle and commit.

A sentinel savepoint of random name stands before the handler's first statement. It can be released only where the
handler left the transaction as it was; after that the job is settled in it, fenced, and both commit together.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Any

from sidework.core.job import JobRow, JobState
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Op
from sidework.core.store import JobFilter, Store
from sidework.drivers.base import AsyncHandle, Handle, adrive, drive
from sidework.drivers.owned import AsyncRunner, Runner, is_worth_another, pause_after
from sidework.drivers.sources import AsyncSource, Source, raise_fault
from sidework.errors import (
    ConfigurationError,
    DatabaseError,
    LeaseLost,
    TransactionBroken,
    TransactionCommitted,
    Transient,
    Unavailable,
)


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
        tries = 0
        while self._handle is None:
            tries += 1
            try:
                self._handle = self._begin()
            except (Transient, Unavailable) as fault:  # nothing of the handler's is in it yet
                if not is_worth_another(fault, tries):
                    raise
                time.sleep(pause_after(tries))
        return self._handle.raw

    @property
    def is_ambient(self) -> bool:
        """Does the handler use the connection without asking for it?"""
        return self._source.is_ambient

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
        try:
            self._source.close(handle, is_clean=True)
        except Exception as error:
            note_after_commit(settlement, error)

    def abort(self) -> None:
        """Roll back whatever is open."""
        handle, self._handle = self._handle, None
        if handle is None:
            self._source.let_go()
            return
        is_clean = False
        try:
            with suppress(Exception):  # closed or broken by the handler: the server rolls it back
                handle.rollback()
                is_clean = not handle.is_closed()
        finally:
            with suppress(Exception):  # what brought us here is what to report
                self._source.close(handle, is_clean=is_clean)

    def undo(self, error: BaseException) -> BaseException:
        """Roll back after `error`; what the attempt failed with: TransactionCommitted where the handler had committed."""
        self.abort()
        try:
            is_committed = self._was_committed()
        except DatabaseError:  # the fault that brought us here is the one to report
            return error
        return committed(error) if is_committed else error

    def _begin(self) -> Handle:
        handle = self._source.open()
        try:
            handle.begin()
            refuse_autocommit(handle)
            self._marker = drive(self._sentinel(), handle.execute)
        except Exception as error:
            self._source.close(handle, is_clean=False)
            raise_fault(handle, error)
        except BaseException:
            self._source.close(handle, is_clean=False)
            raise
        return handle

    def _sentinel(self) -> Op[str]:
        return open_sentinel(self._store, self._name, self._job)

    def _release(self, handle: Handle) -> None:
        flush(handle.raw)  # an error in it is the handler's own
        try:
            drive(self._store.close_sentinel(self._name, self._marker), handle.execute)
        except Exception as error:
            fault = handle.translate(error)
            self.abort()
            raise explain_release(self._was_committed(), fault, error) from error
        self._marker = ""

    def _was_committed(self) -> bool:
        """Did the handler commit by itself? Asked on another connection, until it is answered."""
        marker = self._marker
        is_committed = bool(marker) and self._aside.run(lambda: self._store.read_sentinel(marker))
        self._marker = ""  # only now: a question that found no database is asked again by undo()
        return is_committed

    def _commit(self, handle: Handle, settlement: Settlement) -> None:
        try:
            handle.commit()
        except Exception as error:
            rows = self._aside.run(lambda: self._store.find_jobs(JobFilter(ids=(settlement.id,), limit=1)))
            if not any(is_settled(row.token, row.state, settlement) for row in rows):
                raise_fault(handle, error)
            note_after_commit(settlement, error)


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
        tries = 0
        while self._handle is None:
            tries += 1
            try:
                self._handle = await self._begin()
            except (Transient, Unavailable) as fault:  # nothing of the handler's is in it yet
                if not is_worth_another(fault, tries):
                    raise
                await asyncio.sleep(pause_after(tries))
        return self._handle.raw

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
        try:
            await self._source.close(handle, is_clean=True)
        except Exception as error:
            note_after_commit(settlement, error)

    async def abort(self) -> None:
        """Roll back whatever is open."""
        handle, self._handle = self._handle, None
        if handle is None:
            self._source.let_go()
            return
        is_clean = False
        try:
            with suppress(Exception):  # closed or broken by the handler: the server rolls it back
                await handle.rollback()
                is_clean = not handle.is_closed()
        finally:
            with suppress(Exception):  # what brought us here is what to report
                await self._source.close(handle, is_clean=is_clean)

    async def undo(self, error: BaseException) -> BaseException:
        """Roll back after `error`; what the attempt failed with: TransactionCommitted where the handler had committed."""
        await self.abort()
        try:
            is_committed = await self._was_committed()
        except DatabaseError:  # the fault that brought us here is the one to report
            return error
        return committed(error) if is_committed else error

    async def _begin(self) -> AsyncHandle:
        handle = await self._source.open()
        try:
            await handle.begin()
            refuse_autocommit(handle)
            self._marker = await adrive(self._sentinel(), handle.execute)
        except Exception as error:
            await self._source.close(handle, is_clean=False)
            raise_fault(handle, error)
        except BaseException:
            await self._source.close(handle, is_clean=False)
            raise
        return handle

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
            await self.abort()
            raise explain_release(await self._was_committed(), fault, error) from error
        self._marker = ""

    async def _was_committed(self) -> bool:
        """Did the handler commit by itself? Asked on another connection, until it is answered."""
        marker = self._marker
        is_committed = bool(marker) and await self._aside.run(lambda: self._store.read_sentinel(marker))
        self._marker = ""  # only now: a question that found no database is asked again by undo()
        return is_committed

    async def _commit(self, handle: AsyncHandle, settlement: Settlement) -> None:
        try:
            await handle.commit()
        except Exception as error:
            rows = await self._aside.run(lambda: self._store.find_jobs(JobFilter(ids=(settlement.id,), limit=1)))
            if not any(is_settled(row.token, row.state, settlement) for row in rows):
                raise_fault(handle, error)
            note_after_commit(settlement, error)


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


def committed(cause: BaseException) -> TransactionCommitted:
    """That the handler ended the transaction for good, which no retry can mend."""
    error = TransactionCommitted(
        "the handler committed its transaction itself (COMMIT, or DDL on MySQL): what it committed stays, the rest is"
        " rolled back, and the job is not run again. Leave the commit to Sidework, or declare at_least_once"
    )
    error.__cause__ = cause
    return error


def explain_release(is_committed: bool, fault: Exception, error: Exception) -> Exception:
    """Why the sentinel could not be released."""
    if is_committed:
        return committed(error)
    if isinstance(fault, Unavailable):
        return fault
    return TransactionBroken(
        f"the handler rolled back or broke its transaction ({type(error).__name__}: {' '.join(str(error).split())[:300]});"
        " use a savepoint around statements that may fail"
    )


def note_after_commit(settlement: Settlement, error: Exception) -> None:
    """The job is done all the same: COMMIT's answer was lost, or a callback or the close of the application's raised."""
    _log.warning(
        "job %s is committed as %s, after which came an error", settlement.id, settlement.state, exc_info=error
    )


_log = logging.getLogger("sidework")


def refuse_autocommit(handle: Handle | AsyncHandle) -> None:
    """What a handler writes after a commit of its own would be stored, and could only be reported."""
    if handle.is_autocommit():
        raise ConfigurationError(
            f"job_connection made {type(handle.raw).__name__} in autocommit, in which a job cannot be undone: give a"
            " factory of connections or sessions that begin transactions"
        )
