"""The standard library's sqlite3: the caller's connections, our own, and a cheap look whether anybody committed.

Needs SQLite 3.37 (2021): strict tables, and databases in memory that connections share without a shared cache.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import Any

from sidework.core.ops import Rows, Statement
from sidework.drivers.faults import name_sqlite
from sidework.drivers.sqlite_url import SqliteUrl
from sidework.errors import ConfigurationError, DatabaseError, Unavailable, UnusableConnection

SESSION = (
    # What was committed stays through a loss of power; NORMAL would only keep the file whole.
    "pragma synchronous = full",
    # A log that grew beside a long reader is cut back to this when it can be.
    "pragma journal_size_limit = 67108864",
)

WATCH_EVERY = 0.05
"""Seconds between two looks for other processes' commits."""

OLDEST = (3, 37, 0)

LEGACY = -1
"""`Connection.autocommit` where `isolation_level` rules; before Python 3.12 it always does."""


class SqliteHandle:
    """One `sqlite3.Connection`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.raw = connection

    def execute(self, statement: Statement) -> Rows:
        if not (statement.peek or self.is_autocommit() or self.raw.in_transaction):
            # sqlite3 begins by itself for four verbs only; what else we send would commit at once.
            self.raw.execute(f"begin {self.raw.isolation_level}")
        return self._send(statement)

    def check(self) -> None:
        check_usable(self.raw)

    def in_transaction(self) -> bool:
        return self.raw.in_transaction

    def is_autocommit(self) -> bool:
        return is_autocommit(self.raw)

    def begin(self) -> None:
        # At once, because a transaction that has read cannot always become one that writes, however long it waits.
        self.raw.execute("begin immediate")

    def commit(self) -> None:
        # As a statement, because with autocommit=True commit() does nothing.
        self.raw.execute("commit")

    def rollback(self) -> None:
        if self.raw.in_transaction:
            self.raw.execute("rollback")

    def close(self) -> None:
        self.raw.close()

    def is_closed(self) -> bool:
        return is_closed(self.raw)

    def on_commit(self, callback: object) -> bool:
        return False

    def set_autocommit(self, value: bool) -> None:
        # Changing to None commits what is open, and what a handler left open is not ours to commit.
        self.rollback()
        self.raw.isolation_level = None if value else "IMMEDIATE"

    def renew(self) -> None:
        """SQLite cannot forget a session's pragmas, and opening is quick."""

    def translate(self, error: Exception) -> Exception:
        return translate(error)

    def _send(self, statement: Statement) -> Rows:
        # A cursor made here has no row_factory, whatever the connection's is.
        cursor = sqlite3.Cursor(self.raw)
        try:
            rows: Rows = cursor.execute(statement.sql, dict(statement.params)).fetchall()
        finally:
            cursor.close()
        return rows


class DataVersionWatch:
    """Tells whether another connection has committed, in any process: how a worker on SQLite is woken between polls."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._seen = self._version()

    def changed(self) -> bool:
        """Has anything been committed since the last call?"""
        before, self._seen = self._seen, self._version()
        return self._seen != before

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _version(self) -> int:
        [[version]] = self._connection.execute("pragma data_version").fetchall()
        return int(version)


def connect_sqlite(url: SqliteUrl) -> SqliteHandle:
    """A connection of ours, in autocommit: WAL, synchronous FULL, for one thread at a time.

    Raises ConfigurationError, Transient or Unavailable.
    """
    return SqliteHandle(open_sqlite(url))


def watch_sqlite(url: SqliteUrl) -> DataVersionWatch:
    """A watch on a connection of its own; raises as `connect_sqlite` does."""
    return DataVersionWatch(open_sqlite(url))


async def watch(url: SqliteUrl) -> AsyncIterator[None]:
    """Yield once when watching, and then whenever another connection has committed; a look takes microseconds."""
    watched = watch_sqlite(url)
    try:
        yield
        while True:
            await asyncio.sleep(WATCH_EVERY)
            if watched.changed():
                yield
    finally:
        watched.close()


def open_sqlite(url: SqliteUrl) -> sqlite3.Connection:
    """The connection itself, which aiosqlite opens in a thread of its own."""
    check_version()
    url.prepare()
    try:
        connection = sqlite3.connect(
            url.target,
            timeout=url.timeout,
            isolation_level=None,
            check_same_thread=False,
            uri=url.memory is not None,
        )
    except sqlite3.Error as error:
        raise _named(url, error) from error
    try:
        _set_up(connection, url)
    except sqlite3.Error as error:
        connection.close()
        raise _named(url, error) from error
    return connection


def check_version() -> None:
    """Raise ConfigurationError where the SQLite that Python was built with is too old."""
    if sqlite3.sqlite_version_info < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise ConfigurationError(
            f"expected SQLite {needed} or newer, got {sqlite3.sqlite_version}; use a Python built with a newer one"
        )


def check_usable(connection: sqlite3.Connection) -> None:
    """Raise UnusableConnection for a closed connection, or one of another thread."""
    try:
        sqlite3.Cursor(connection).close()
    except sqlite3.ProgrammingError as error:
        raise UnusableConnection(
            f"this sqlite3 connection cannot be used here ({_sentence(error)}); "
            "nothing was enqueued: give an open connection of this thread"
        ) from error


def is_autocommit(connection: Any) -> bool:
    """Does a write sent now commit by itself?"""
    mode = getattr(connection, "autocommit", LEGACY)
    return connection.isolation_level is None if mode == LEGACY else bool(mode)


def is_closed(connection: sqlite3.Connection) -> bool:
    """Was the connection closed?"""
    try:
        connection.total_changes  # noqa: B018 - the attribute is refused on a closed connection
    except sqlite3.ProgrammingError:
        return True
    return False


def translate(error: Exception) -> Exception:
    """Ours for an error of sqlite3, or the error itself."""
    if not isinstance(error, sqlite3.Error):
        return error
    return name_sqlite(error, getattr(error, "sqlite_errorcode", None))


def _set_up(connection: sqlite3.Connection, url: SqliteUrl) -> None:
    for pragma in SESSION:
        connection.execute(pragma)
    if url.memory is None:
        _enter_wal(connection, time.monotonic() + url.timeout)


def _enter_wal(connection: sqlite3.Connection, deadline: float) -> None:
    # The first connections of many processes meet here, and this change of mode does not wait for a busy file.
    while connection.execute("pragma journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.001 + random.random() / 100)


def _named(url: SqliteUrl, error: sqlite3.Error) -> Exception:
    fault = translate(error)
    kind = type(fault) if isinstance(fault, DatabaseError) else Unavailable
    return kind(f"cannot open the SQLite database {url.target!r}: {_sentence(error)}")


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".")
