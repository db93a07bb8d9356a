"""PyMySQL: the caller's connections, and our own sync ones on MySQL and MariaDB."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pymysql
from pymysql.constants import SERVER_STATUS
from pymysql.cursors import Cursor

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_mysql
from sidework.drivers.mysql_url import SESSION, MySQLAddress, set_keepalive
from sidework.drivers.sockets import has_said_something
from sidework.errors import Unavailable, UnusableConnection

COM_RESET_CONNECTION = 0x1F


class PyMySQLHandle:
    """One `pymysql.Connection`."""

    def __init__(self, connection: Any) -> None:
        self.raw = connection

    def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        with self.raw.cursor(Cursor) as cursor:
            cursor.execute(rendered.sql, dict(statement.params))
            return cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        if not self.raw.open:
            raise UnusableConnection("the PyMySQL connection is closed; nothing was enqueued. Open a new one")

    def in_transaction(self) -> bool:
        return bool(self.raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def is_autocommit(self) -> bool:
        return bool(self.raw.get_autocommit())

    def begin(self) -> None:
        self.execute(Statement("start transaction"))  # BEGIN opens a block in Oracle mode

    def commit(self) -> None:
        self.raw.commit()

    def rollback(self) -> None:
        self.raw.rollback()

    def close(self) -> None:
        self.raw.close()

    def is_closed(self) -> bool:
        sock = self.raw._sock  # noqa: SLF001 - the library has no fileno()
        return not self.raw.open or sock is None or has_said_something(sock.fileno())

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    def set_autocommit(self, value: bool) -> None:
        self.raw.autocommit(value)

    def renew(self) -> PyMySQLHandle:
        used, fresh = self.raw, copy.copy(self.raw)
        used._sock = used._rfile = None  # noqa: SLF001 - what the handler kept is closed
        fresh.cursorclass = Cursor
        # The library has no call for it; connecting anew reads the system's certificates, which takes 30 ms and more.
        fresh._execute_command(COM_RESET_CONNECTION, b"")  # noqa: SLF001
        fresh._read_ok_packet()  # noqa: SLF001
        fresh.set_character_set("utf8mb4")
        fresh.select_db(fresh.db)
        _set_up(fresh)
        fresh.autocommit(True)
        return PyMySQLHandle(fresh)

    def translate(self, error: Exception) -> Exception:
        return _translate(error, is_lost=not self.raw.open)


def connect_pymysql(address: MySQLAddress) -> PyMySQLHandle:
    """Open a connection of ours; raises Unavailable or DatabaseError in one sentence, within the connect timeout."""
    try:
        connection = pymysql.connect(**address.arguments(), write_timeout=address.write_timeout)
        set_keepalive(connection._sock)  # type: ignore[attr-defined]  # noqa: SLF001
        _set_up(connection)
    except pymysql.Error as error:
        raise _translate(error, is_lost=False) from error
    except OSError as error:  # files of the SSL options
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    return PyMySQLHandle(connection)


def _set_up(connection: pymysql.Connection[Any]) -> None:
    with connection.cursor(Cursor) as cursor:
        for setting in SESSION:
            cursor.execute(setting)


def _translate(error: Exception, *, is_lost: bool) -> Exception:
    if not isinstance(error, pymysql.Error):
        return error
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    return name_mysql(error, number, is_lost=is_lost)
