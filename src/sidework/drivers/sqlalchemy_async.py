"""SQLAlchemy, async: AsyncConnection, AsyncSession and async_scoped_session, through the sync handle beneath them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session

from sidework.core.ops import Rows, Statement
from sidework.drivers.sqlalchemy import SqlalchemyHandle
from sidework.errors import UnusableConnection

T = TypeVar("T")


class AsyncSqlalchemyHandle:
    """One `AsyncConnection` or `AsyncSession`."""

    def __init__(self, raw: AsyncConnection | AsyncSession | async_scoped_session[Any]) -> None:
        self.raw = raw
        self._owner: AsyncConnection | AsyncSession = raw() if isinstance(raw, async_scoped_session) else raw
        self._handle = SqlalchemyHandle(_sync_twin(self._owner))
        self.database = self._handle.database

    async def execute(self, statement: Statement) -> Rows:
        return await self._run(lambda: self._handle.execute(statement))

    def check(self) -> None:
        self._handle.check()

    def in_transaction(self) -> bool:
        return self._handle.in_transaction()

    def is_autocommit(self) -> bool:
        return self._handle.is_autocommit()

    async def begin(self) -> None:
        await self._run(self._handle.begin)

    async def commit(self) -> None:
        await self._run(self._handle.commit)

    async def rollback(self) -> None:
        await self._run(self._handle.rollback)

    async def close(self) -> None:
        await self._owner.close()

    def is_closed(self) -> bool:
        return self._handle.is_closed()

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return self._handle.on_commit(callback)

    def translate(self, error: Exception) -> Exception:
        return self._handle.translate(error)

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._owner.run_sync(lambda _: work())


def _sync_twin(owner: AsyncConnection | AsyncSession) -> Connection | Session:
    if isinstance(owner, AsyncSession):
        return owner.sync_session
    if owner.sync_connection is None:
        raise UnusableConnection(
            "the SQLAlchemy AsyncConnection is closed, or was never opened; nothing was enqueued."
            " Use `async with engine.connect() as connection`"
        )
    return owner.sync_connection
