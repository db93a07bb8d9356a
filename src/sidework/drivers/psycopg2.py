"""psycopg2: connections that an application holds."""

from __future__ import annotations

from collections.abc import Callable

import psycopg2
from psycopg2 import extensions

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_postgres
from sidework.errors import DatabaseError, UnusableConnection

_TYPES = (extensions.UNICODE, extensions.INTEGER, extensions.LONGINTEGER, extensions.BOOLEAN)
"""Read as the library does, whatever the application registered on its connection."""


class Psycopg2Handle:
    """One `psycopg2` connection."""

    def __init__(self, connection: extensions.connection) -> None:
        self.raw = connection

    def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        with self.raw.cursor(cursor_factory=extensions.cursor) as cursor:
            for kind in _TYPES:
                extensions.register_type(kind, cursor)
            cursor.execute(rendered.sql, dict(statement.params))
            return cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        if self.raw.closed:
            raise UnusableConnection("the psycopg2 connection is closed; nothing was enqueued. Open a new one")
        if self.raw.async_:
            raise UnusableConnection(
                "the psycopg2 connection is an asynchronous one (async_=1), which has no transactions;"
                " nothing was enqueued. Use a plain connection, or psycopg 3's AsyncConnection"
            )
        if self._status() == extensions.TRANSACTION_STATUS_INERROR:
            raise UnusableConnection(
                "the transaction on the psycopg2 connection has failed (a statement before raised); nothing was"
                " enqueued. Roll back, or roll back to a savepoint, first"
            )

    def in_transaction(self) -> bool:
        return self._status() != extensions.TRANSACTION_STATUS_IDLE

    def is_autocommit(self) -> bool:
        return bool(self.raw.autocommit)

    def begin(self) -> None:
        if self.is_autocommit():  # else the library sends BEGIN before the first statement
            self.execute(Statement("begin"))

    def commit(self) -> None:
        # commit() hides that PostgreSQL answered ROLLBACK; the status, known since the last statement, does not.
        if self._status() == extensions.TRANSACTION_STATUS_INERROR:
            raise DatabaseError("a statement of the transaction had failed, so nothing of it can be committed")
        if self.is_autocommit():
            self.execute(Statement("commit"))
        else:
            self.raw.commit()

    def rollback(self) -> None:
        if self.raw.closed or not self.in_transaction():
            return
        if self.is_autocommit():
            self.execute(Statement("rollback"))
        else:
            self.raw.rollback()

    def close(self) -> None:
        self.raw.close()

    def is_closed(self) -> bool:
        return bool(self.raw.closed)

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    def translate(self, error: Exception) -> Exception:
        if not isinstance(error, psycopg2.Error):
            return error
        return name_postgres(error, error.pgcode, is_lost=bool(self.raw.closed))

    def _status(self) -> int:
        return self.raw.get_transaction_status()
