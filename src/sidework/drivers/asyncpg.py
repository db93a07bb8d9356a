"""asyncpg: connections that an application holds, pooled ones included."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import asyncpg

from sidework.core.ops import Rendered, Rows, Statement, render_numbered
from sidework.drivers.faults import name_postgres
from sidework.errors import UnusableConnection


class AsyncpgHandle:
    """One `asyncpg.Connection`, or the `PoolConnectionProxy` that a pool gives."""

    def __init__(self, connection: Any) -> None:
        self.raw = connection
        self._transaction: Any = None

    async def execute(self, statement: Statement) -> Rows:
        rendered = _render(statement.sql)
        arguments = [statement.params[name] for name in rendered.names]
        records = await self.raw.fetch(rendered.sql, *arguments, record_class=asyncpg.Record)
        return [tuple(record) for record in records]

    def check(self) -> None:
        # That a transaction has failed asyncpg does not tell; the first statement's error (25P02) is translated.
        if self.is_closed():
            raise UnusableConnection(
                "the asyncpg connection is closed, or was released to its pool; nothing was enqueued. Acquire a new one"
            )

    def in_transaction(self) -> bool:
        return bool(self.raw.is_in_transaction())

    def is_autocommit(self) -> bool:
        return True

    async def begin(self) -> None:
        # Not by a plain BEGIN, after which the library would refuse `async with connection.transaction()`.
        self._transaction = self.raw.transaction()
        await self._transaction.start()

    async def commit(self) -> None:
        await self.raw.execute("select 1")  # fails where the transaction has; commit() would hide the answer ROLLBACK
        transaction, self._transaction = self._transaction, None
        await transaction.commit()

    async def rollback(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None and not self.is_closed() and self.in_transaction():
            await transaction.rollback()

    async def close(self) -> None:
        await self.raw.close()

    def is_closed(self) -> bool:
        try:
            return bool(self.raw.is_closed())
        except asyncpg.InterfaceError:  # a proxy whose connection went back to the pool
            return True

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, asyncpg.PostgresError):
            return name_postgres(error, error.sqlstate, is_lost=self.is_closed())
        is_lost = isinstance(error, (asyncpg.InterfaceError, OSError)) and self.is_closed()
        return name_postgres(error, None, is_lost=True) if is_lost else error


@lru_cache(maxsize=2048)
def _render(sql: str) -> Rendered:
    # asyncpg encodes a parameter with the codec of the type that it is cast to, and applications put their own on json
    # and uuid. Cast to text first, it is text for everyone.
    return render_numbered(_CAST.sub(r"CAST(CAST(\1 AS text) AS", sql))


_CAST = re.compile(r"CAST\((:\w+) AS(?! (?:text|integer|bigint)\))")
