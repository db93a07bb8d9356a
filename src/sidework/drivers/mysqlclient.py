"""mysqlclient (`MySQLdb`): connections that an application holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import MySQLdb
from MySQLdb.cursors import Cursor

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_mysql
from sidework.errors import UnusableConnection

NO_SUCH_SAVEPOINT = 1305


class MySQLClientHandle:
    """One `MySQLdb` connection."""

    def __init__(self, connection: Any) -> None:
        self.raw = connection

    def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        with self.raw.cursor(Cursor) as cursor:
            cursor.execute(rendered.sql, dict(statement.params))
            return cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        if not self.raw.open:
            raise UnusableConnection("the mysqlclient connection is closed; nothing was enqueued. Open a new one")

    def in_transaction(self) -> bool:
        # The library hides the server's status, and MySQL (unlike MariaDB) has no variable for it that every user may
        # read. A savepoint set outside a transaction is gone at once; inside one it is there to be released.
        self.execute(Statement("savepoint sidework_probe"))
        try:
            self.execute(Statement("release savepoint sidework_probe"))
        except MySQLdb.OperationalError as error:
            if error.args[0] == NO_SUCH_SAVEPOINT:
                return False
            raise
        return True

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
        return not self.raw.open

    def on_commit(self, callback: Callable[[], None]) -> bool:
        return False

    def translate(self, error: Exception) -> Exception:
        if not isinstance(error, MySQLdb.Error):
            return error
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        return name_mysql(error, number, is_lost=self.is_closed())
