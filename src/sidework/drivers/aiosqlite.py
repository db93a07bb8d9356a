"""aiosqlite: the caller's connections, and our own where an async handler gets one."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import Any

import aiosqlite

from sidework.core.ops import Rows, Statement
from sidework.drivers.sqlite3 import open_sqlite, translate
from sidework.drivers.sqlite_url import SqliteUrl
from sidework.errors import UnusableConnection


class AsyncSqliteHandle:
    """One `aiosqlite.Connection`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.raw = connection

    async def execute(self, statement: Statement) -> Rows:
        if not (statement.peek or self.is_autocommit() or self.raw.in_transaction):
            await self._begin_as_sqlite3_would(statement)
        return await self._send(statement.sql, dict(statement.params))

    def check(self) -> None:
        if self.is_closed():
            raise UnusableConnection(
                "this aiosqlite connection is closed, or was never awaited; nothing was enqueued: give an open one"
            )

    def in_transaction(self) -> bool:
        return self.raw.in_transaction

    def is_autocommit(self) -> bool:
        return self.raw.isolation_level is None

    async def begin(self) -> None:
        await self._send("begin immediate", {})

    async def commit(self) -> None:
        await self._send("commit", {})

    async def rollback(self) -> None:
        if self.raw.in_transaction:
            await self._send("rollback", {})

    async def close(self) -> None:
        await self.raw.close()

    def is_closed(self) -> bool:
        try:
            self.raw.total_changes  # noqa: B018 - the attribute is refused on a closed connection
        except (ValueError, sqlite3.ProgrammingError):
            return True
        return False

    def on_commit(self, callback: object) -> bool:
        return False

    async def set_autocommit(self, value: bool) -> None:
        # Changing to None commits what is open, and what a handler left open is not ours to commit.
        await self.rollback()
        self.raw.isolation_level = None if value else "IMMEDIATE"

    async def renew(self) -> None:
        """SQLite cannot forget a session's pragmas, and opening is quick."""

    def translate(self, error: Exception) -> Exception:
        return translate(error)

    async def _begin_as_sqlite3_would(self, statement: Statement) -> None:
        if not await self._commits_each_statement():
            # sqlite3 begins by itself for four verbs only; what else we send would commit at once.
            await self._send(f"begin {self.raw.isolation_level}", {})
        elif not statement.alone:
            raise UnusableConnection(
                "this aiosqlite connection was opened with autocommit=True and is in no transaction; nothing was "
                "enqueued: execute BEGIN first, or open it with isolation_level=None"
            )

    async def _commits_each_statement(self) -> bool:
        # The `autocommit` of Python 3.12 can be read in the connection's thread only: `is_autocommit` cannot ask.
        if not hasattr(sqlite3.Connection, "autocommit"):
            return False
        connection: Any = self.raw
        mode = await connection._execute(getattr, connection._conn, "autocommit")  # noqa: SLF001
        return mode is True

    async def _send(self, sql: str, params: dict[str, Any]) -> Rows:
        if self.raw.row_factory is None:
            # One trip to the connection's thread instead of four.
            return list(await self.raw.execute_fetchall(sql, params))
        cursor = await self.raw.cursor()
        try:
            cursor.row_factory = None
            await cursor.execute(sql, params)
            return list(await cursor.fetchall())
        finally:
            await cursor.close()


async def connect_aiosqlite(url: SqliteUrl) -> AsyncSqliteHandle:
    """A connection of ours, as `connect_sqlite` makes one, in a thread that does not keep the process alive."""
    connection = aiosqlite.Connection(partial(open_sqlite, url), iter_chunk_size=64)
    # A connection was a thread itself before aiosqlite 0.22, and has one since.
    thread: Any = getattr(connection, "_thread", connection)
    thread.daemon = True
    try:
        return AsyncSqliteHandle(await connection)
    except Exception:
        # Its thread is about to report that it ends, and would fail at that if this loop were closed by then.
        await asyncio.to_thread(thread.join)
        raise
