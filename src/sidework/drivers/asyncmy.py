"""asyncmy: the caller's connections, and our own async ones on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncmy
from asyncmy.cursors import Cursor
from asyncmy.errors import Error

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_mysql
from sidework.drivers.mysql_url import SESSION, MySQLAddress, set_keepalive
from sidework.drivers.sockets import has_said_something
from sidework.errors import Unavailable, UnusableConnection


class AsyncmyHandle:
    """One `asyncmy.Connection`."""

    def __init__(self, connection: Any) -> None:
        self.raw = connection

    async def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        async with self.raw.cursor(Cursor) as cursor:
            await cursor.execute(rendered.sql, dict(statement.params))
            return await cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        if not self.raw.connected:
            raise UnusableConnection("the asyncmy connection is closed; nothing was enqueued. Open a new one")

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
        return not self.raw.connected or bool(getattr(self.raw, "_stream_broken", False)) or _has_ended(self.raw)

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    async def set_autocommit(self, value: bool) -> None:
        await self.raw.autocommit(value)

    async def renew(self) -> None:
        """Opening another is quick, and the library has no call that resets a session."""

    def translate(self, error: Exception) -> Exception:
        return _translate(error, is_lost=self.is_closed())


def _has_ended(connection: Any) -> bool:
    """Has the server closed an idle connection, whether or not the loop has noticed?"""
    sock = _socket_of(connection)
    return sock is None or sock.fileno() < 0 or has_said_something(sock.fileno())


async def connect_asyncmy(address: MySQLAddress) -> AsyncmyHandle:
    """Open a connection of ours; raises Unavailable or DatabaseError in one sentence, within the connect timeout."""
    try:
        connection = await asyncmy.connect(**address.arguments())
        set_keepalive(_socket_of(connection))
        async with connection.cursor(Cursor) as cursor:
            for setting in SESSION:
                await cursor.execute(setting)
    except Error as error:
        raise _translate(error, is_lost=False) from error
    except OSError as error:  # files of the SSL options
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    return AsyncmyHandle(connection)


def _socket_of(connection: Any) -> Any:
    transport = getattr(connection, "_transport", None)
    return transport and transport.get_extra_info("socket")


def _translate(error: Exception, *, is_lost: bool) -> Exception:
    if not isinstance(error, (Error, OSError, EOFError)):
        return error
    number = error.args[0] if isinstance(error, Error) and error.args and isinstance(error.args[0], int) else None
    return name_mysql(error, number, is_lost=is_lost or not isinstance(error, Error))
