"""Django: `django.db.connection`, `connections["alias"]`, or an alias, on the PostgreSQL, MySQL and SQLite backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError as DjangoDatabaseError
from django.db import Error as DjangoError
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_dbapi
from sidework.errors import DatabaseError, UnusableConnection


class DjangoHandle:
    """One of this thread's database connections; begins and commits by `atomic()`, so that its hooks run."""

    def __init__(self, connection: Any) -> None:
        self.raw = _wrapper(connection)
        self.database: str = self.raw.vendor
        self._atomic: Any = None

    def execute(self, statement: Statement) -> Rows:
        if self.database == "sqlite" and not (statement.peek or self.raw.in_atomic_block):
            self._begin_sqlite()
        rendered = render_pyformat(statement.sql)
        with self.raw.cursor() as cursor:
            cursor.execute(rendered.sql, dict(statement.params))
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def check(self) -> None:
        reason = self._why_unusable()
        if reason:
            raise UnusableConnection(f"Django's connection {self.raw.alias!r} {reason}; nothing was enqueued")

    def in_transaction(self) -> bool:
        return bool(self.raw.in_atomic_block) or not self.is_autocommit()

    def is_autocommit(self) -> bool:
        return bool(self.raw.get_autocommit())

    def begin(self) -> None:
        atomic = transaction.atomic(using=self.raw.alias)
        if self.database == "sqlite":
            self._enter_writing(atomic)
        else:
            atomic.__enter__()
        self._atomic = atomic

    def commit(self) -> None:
        if self.raw.needs_rollback:
            raise DatabaseError("an atomic block inside the transaction had failed, so nothing of it can be committed")
        if self.database == "postgresql":
            self.execute(Statement("select 1"))  # fails where the transaction has; COMMIT would only answer ROLLBACK
        self._leave()
        if not self.raw.in_atomic_block and not self.is_autocommit():  # a setting with which atomic() commits nothing
            self.raw.commit()

    def rollback(self) -> None:
        if self._atomic is not None:
            self.raw.set_rollback(True)
            self._leave()
        if not self.raw.in_atomic_block and self.raw.connection is not None and not self.is_autocommit():
            self.raw.rollback()

    def close(self) -> None:
        self.raw.close()

    def is_closed(self) -> bool:
        return bool(self.raw.closed_in_transaction)

    def on_commit(self, callback: Callable[[], None]) -> bool:
        if not self.raw.in_atomic_block:
            return False  # AUTOCOMMIT is off, and Django calls nothing back then
        self.raw.on_commit(callback, robust=True)
        return True

    def translate(self, error: Exception) -> Exception:
        cause = error.__cause__
        if isinstance(error, DjangoError) and isinstance(cause, Exception):
            is_lost = self.raw.connection is None or bool(getattr(self.raw.connection, "closed", False))
            return name_dbapi(self.database, cause, is_lost=is_lost)
        return error

    def _why_unusable(self) -> str | None:
        try:
            self.raw.validate_thread_sharing()
        except DjangoDatabaseError:
            return "belongs to another thread; use django.db.connection in the thread that enqueues"
        if self.raw.closed_in_transaction:
            return "was closed inside a transaction; leave the atomic block first"
        if self.raw.in_atomic_block and self.raw.needs_rollback:
            return "is in an atomic block that has failed and will be rolled back; leave the block first"
        return None

    def _begin_sqlite(self) -> None:
        # With AUTOCOMMIT off, sqlite3 begins by itself for four verbs only, and what else we send would commit at once.
        if not self.is_autocommit() and not self.raw.connection.in_transaction:
            with self.raw.cursor() as cursor:
                cursor.execute("BEGIN IMMEDIATE")

    def _enter_writing(self, atomic: Any) -> None:
        self.raw.ensure_connection()  # which reads the mode from the settings
        mode, self.raw.transaction_mode = self.raw.transaction_mode, "IMMEDIATE"
        try:
            atomic.__enter__()
        finally:
            self.raw.transaction_mode = mode

    def _leave(self) -> None:
        atomic, self._atomic = self._atomic, None
        if atomic is not None:
            atomic.__exit__(None, None, None)


def _wrapper(connection: Any) -> BaseDatabaseWrapper:
    """The wrapper behind an alias or a proxy, which is another one in each thread."""
    if isinstance(connection, str):
        return connections[connection]
    if isinstance(connection, BaseDatabaseWrapper):
        return connection
    alias = getattr(connection, "alias", None)
    if alias is None or connection != connections[alias]:
        raise TypeError(f"expected a proxy of one of Django's database connections, got {connection!r}")
    return connections[alias]
