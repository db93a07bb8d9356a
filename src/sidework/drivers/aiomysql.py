"""aiomysql: connections that an application holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiomysql

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_mysql
from sidework.errors import UnusableConnection


class AiomysqlHandle:
    """One `aiomysql.Connection`."""

    def __init__(self, connection: Any) -> None:
        self.raw = connection

    async def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        async with self.raw.cursor(aiomysql.Cursor) as cursor:
            await cursor.execute(rendered.sql, dict(statement.params))
            rows: Rows = await cursor.fetchall() if cursor.description else []
            return rows

    def check(self) -> None:
        if self.raw.closed:
            raise UnusableConnection("the aiomysql connection is closed; nothing was enqueued. Open a new one")

    def in_transaction(self) -> bool:
        return bool(self.raw.get_transaction_status())

    def is_autocommit(self) -> bool:
        return bool(self.raw.get_autocommit())

    async def begin(self) -> None:
        await self.execute(Statement("start transaction"))  # BEGIN opens a block in Oracle mode

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    async def close(self) -> None:
        await self.raw.ensure_closed()

    def is_closed(self) -> bool:
        return bool(self.raw.closed)

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    def translate(self, error: Exception) -> Exception:
        if not isinstance(error, aiomysql.Error):
            return error
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        return name_mysql(error, number, is_lost=self.is_closed())
