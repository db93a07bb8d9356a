"""SQLAlchemy, sync: a Connection, a Session, or the session of a scoped_session, on any of its drivers.

`sqlalchemy_async` runs the same handle beneath the async classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, event, table, text, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError, UnboundExecutionError
from sqlalchemy.orm import Session, scoped_session

from sidework.core.ops import Rows, Statement
from sidework.drivers.faults import name_dbapi
from sidework.errors import UnusableConnection


class SqlalchemyHandle:
    """One `Connection` or `Session`; what a session has not flushed yet goes with its own commit, as always."""

    def __init__(self, raw: Connection | Session | scoped_session[Any]) -> None:
        self.raw = raw
        self._owner: Connection | Session = raw() if isinstance(raw, scoped_session) else raw
        self._bind = _bind(self._owner)
        name = self._bind.dialect.name
        self.database = "mysql" if name == "mariadb" else name
        self._is_autobegun = False

    def execute(self, statement: Statement) -> Rows:
        connection = self._connection()
        if self.database == "sqlite" and not (statement.peek or self.is_autocommit()):
            _begin_sqlite(connection)
        return _fetch(connection, statement)

    def check(self) -> None:
        owner = self._owner
        reason = _why_unusable_session(owner) if isinstance(owner, Session) else _why_unusable_connection(owner)
        if reason:
            raise UnusableConnection(f"the SQLAlchemy {type(owner).__name__} {reason}; nothing was enqueued")

    def in_transaction(self) -> bool:
        # In AUTOCOMMIT, SQLAlchemy's transaction is a word without an effect.
        return not self.is_autocommit() and self._owner.in_transaction()

    def is_autocommit(self) -> bool:
        return _is_autocommit(self._owner if isinstance(self._owner, Connection) else self._bind)

    def begin(self) -> None:
        self._is_autobegun = not self._owner.in_transaction()
        if self.is_autocommit():
            self._connection().exec_driver_sql(_BEGIN_SQLITE if self.database == "sqlite" else "BEGIN")
            return
        if self._is_autobegun:
            self._owner.begin()
        if self.database == "sqlite":
            _begin_sqlite(self._connection())

    def commit(self) -> None:
        if isinstance(self._owner, Session):
            self._owner.flush()
        if self.database == "postgresql":
            self.execute(Statement("select 1"))  # fails where the transaction has; COMMIT would only answer ROLLBACK
        if self.is_autocommit():
            self._connection().exec_driver_sql("COMMIT")
            self._leave_autobegun()
        else:
            self._owner.commit()

    def rollback(self) -> None:
        if self._why_unreachable():
            return
        if self.is_autocommit():
            self._connection().exec_driver_sql("ROLLBACK")
            self._leave_autobegun()
        else:
            self._owner.rollback()

    def close(self) -> None:
        self._owner.close()

    def is_closed(self) -> bool:
        return self._why_unreachable() is not None

    def on_commit(self, callback: Callable[[], None]) -> bool:
        if not isinstance(self._owner, Session):
            return False  # a Connection's event comes before its COMMIT
        _call_after_commit(self._owner, callback)
        return True

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
            return name_dbapi(self.database, error.orig, is_lost=error.connection_invalidated)
        return error

    def _connection(self) -> Connection:
        if isinstance(self._owner, Connection):
            return self._owner
        try:
            connection = self._owner.connection(bind_arguments={"clause": _WRITE})
        except InvalidRequestError as error:
            raise UnusableConnection(
                f"the SQLAlchemy {type(self._owner).__name__} gives no connection ({error}); nothing was enqueued"
            ) from error
        if _is_autocommit(connection) and not self.is_autocommit():
            raise UnusableConnection(
                "this session's connection alone was set to AUTOCOMMIT; nothing was enqueued."
                " Pass `session.connection()`, or bind the session to an engine in AUTOCOMMIT"
            )
        return connection

    def _leave_autobegun(self) -> None:
        # Nothing is pending in what our own statement began, so this ends it and no more.
        if self._is_autobegun:
            self._owner.commit()

    def _why_unreachable(self) -> str | None:
        return None if isinstance(self._owner, Session) else _why_unusable_connection(self._owner)


_WRITE = update(table("sidework_jobs"))
"""Tells a session that divides its work between engines that this is for the one it writes to."""

_BEGIN_SQLITE = "BEGIN IMMEDIATE"

_AS_TEXT: dict[str, Any] = {"stream_results": False, "no_parameters": False, "yield_per": None}
"""Undoes the options of a connection that would send our statements in another way."""


def _bind(owner: Connection | Session) -> Connection | Engine:
    if isinstance(owner, Connection):
        return owner
    try:
        return owner.get_bind(clause=_WRITE)
    except UnboundExecutionError as error:
        raise UnusableConnection(
            "the SQLAlchemy session is bound to no engine that can be told from our statement alone; nothing was"
            " enqueued. Give it a default (`bind=`), or pass `session.connection(bind_arguments={'mapper': YourModel})`"
        ) from error


def _is_autocommit(bind: Connection | Engine) -> bool:
    level = bind.get_execution_options().get("isolation_level")
    return (level or getattr(bind.dialect, "_on_connect_isolation_level", None)) == "AUTOCOMMIT"


def _fetch(connection: Connection, statement: Statement) -> Rows:
    result = connection.execute(_text(statement.sql), dict(statement.params), execution_options=_AS_TEXT)
    with result:
        return [tuple(row) for row in result] if result.returns_rows else []


@lru_cache(maxsize=2048)
def _text(sql: str) -> TextClause:
    return text(_OTHER_COLON.sub(r"\:", sql))


_OTHER_COLON = re.compile(r"(?<=[:\w]):|:(?![a-z_])")


def _begin_sqlite(connection: Connection) -> None:
    """Begin for real: sqlite3 begins by itself for four verbs only, and what else we send would commit at once."""
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        connection.exec_driver_sql(_BEGIN_SQLITE)


def _why_unusable_connection(connection: Connection) -> str | None:
    if connection.closed:
        return "is closed"
    if connection.invalidated:
        return "has lost its database connection; roll back, or open a new one"
    transaction = connection.get_nested_transaction() or connection.get_transaction()
    if transaction is not None and not transaction.is_active:
        return "is in a transaction that has ended; leave its `with` block, or call rollback()"
    return None


def _why_unusable_session(session: Session) -> str | None:
    if not session.is_active:
        return "has failed to flush; call rollback() first"
    if not session.autobegin and not session.in_transaction():
        return "has autobegin=False and no transaction; call begin() first"
    return None


def _call_after_commit(session: Session, callback: Callable[[], None]) -> None:
    if _CALLBACKS not in session.info:
        session.info[_CALLBACKS] = []
        event.listen(session, "after_commit", _after_commit)
        event.listen(session, "after_rollback", _after_rollback)
    session.info[_CALLBACKS].append(callback)


_CALLBACKS = "sidework.on_commit"


def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    callbacks = session.info[_CALLBACKS][:]
    session.info[_CALLBACKS].clear()
    for callback in callbacks:
        callback()


def _after_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info[_CALLBACKS].clear()
