"""psycopg 3, sync and async: the caller's connections, and our own on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, TransactionStatus
from psycopg.rows import tuple_row

from sidework.core.ops import Rows, Statement, render_pyformat
from sidework.drivers.faults import name_postgres
from sidework.drivers.sockets import has_said_something
from sidework.errors import ConfigurationError, DatabaseError, Unavailable, UnusableConnection

SETTINGS: dict[str, str | int] = {
    "connect_timeout": 10,
    "application_name": "sidework",
    "client_encoding": "utf8",
    # A machine that vanished is noticed in about half a minute instead of two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}

SESSION = (
    "set default_transaction_isolation = 'read committed'; set default_transaction_read_only = off;"
    " set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; set timezone = 'UTC'"
)
"""What our own sessions rely on, whatever the role's defaults are."""


RESET = (
    "close all; set session authorization default; reset all; deallocate all; unlisten *;"
    " select pg_advisory_unlock_all(); discard plans; discard temp; discard sequences; " + SESSION
)
"""DISCARD ALL, which may not travel with other statements, as its parts; and then what we rely on, in one round trip."""


class PsycopgHandle:
    """One `psycopg.Connection`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.raw = connection

    def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        with psycopg.Cursor(self.raw, row_factory=tuple_row) as cursor:
            cursor.execute(rendered.sql, statement.params)
            return cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        _check(self.raw)

    def in_transaction(self) -> bool:
        return self.raw.info.transaction_status is not TransactionStatus.IDLE

    def is_autocommit(self) -> bool:
        return self.raw.autocommit

    def begin(self) -> None:
        if self.raw.autocommit:  # else psycopg begins with the first statement
            self.raw.execute("begin")

    def commit(self) -> None:
        # As a statement, because commit() hides the tag: PostgreSQL answers ROLLBACK for a transaction that had failed.
        check_committed(self.raw.execute("commit").statusmessage)

    def rollback(self) -> None:
        self.raw.rollback()

    def close(self) -> None:
        self.raw.close()

    def is_closed(self) -> bool:
        return _is_closed(self.raw)

    def on_commit(self, callback: object) -> bool:
        return False

    def set_autocommit(self, value: bool) -> None:
        self.raw.autocommit = value

    def renew(self) -> PsycopgHandle:
        fresh = psycopg.Connection(self.raw.pgconn)
        self.raw.pgconn = _ended_pgconn()
        try:
            fresh.autocommit = True
            fresh.execute(RESET)
        except BaseException:
            fresh.close()
            raise
        return PsycopgHandle(fresh)

    def translate(self, error: Exception) -> Exception:
        return _translate(self.raw, error)


class AsyncPsycopgHandle:
    """One `psycopg.AsyncConnection`."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.raw = connection

    async def execute(self, statement: Statement) -> Rows:
        rendered = render_pyformat(statement.sql)
        async with psycopg.AsyncCursor(self.raw, row_factory=tuple_row) as cursor:
            await cursor.execute(rendered.sql, statement.params)
            return await cursor.fetchall() if cursor.description else []

    def check(self) -> None:
        _check(self.raw)

    def in_transaction(self) -> bool:
        return self.raw.info.transaction_status is not TransactionStatus.IDLE

    def is_autocommit(self) -> bool:
        return self.raw.autocommit

    async def begin(self) -> None:
        if self.raw.autocommit:  # else psycopg begins with the first statement
            await self.raw.execute("begin")

    async def commit(self) -> None:
        check_committed((await self.raw.execute("commit")).statusmessage)

    async def rollback(self) -> None:
        await self.raw.rollback()

    async def close(self) -> None:
        await self.raw.close()

    def is_closed(self) -> bool:
        return _is_closed(self.raw)

    def on_commit(self, callback: object) -> bool:
        return False

    async def set_autocommit(self, value: bool) -> None:
        await self.raw.set_autocommit(value)

    async def renew(self) -> AsyncPsycopgHandle:
        fresh = psycopg.AsyncConnection(self.raw.pgconn)
        self.raw.pgconn = _ended_pgconn()
        try:
            await fresh.set_autocommit(True)
            await fresh.execute(RESET)
        except BaseException:
            await fresh.close()
            raise
        return AsyncPsycopgHandle(fresh)

    def translate(self, error: Exception) -> Exception:
        return _translate(self.raw, error)


def connect_psycopg(url: str) -> PsycopgHandle:
    """Open a connection of ours to a libpq URL; raises Unavailable in one sentence, within the connect timeout."""
    try:
        connection = psycopg.connect(_conninfo(url), autocommit=True)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error
    try:
        connection.execute(SESSION)
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise _unreachable(error) from error
        raise
    return PsycopgHandle(connection)


async def aconnect_psycopg(url: str) -> AsyncPsycopgHandle:
    """The same, async."""
    try:
        connection = await psycopg.AsyncConnection.connect(_conninfo(url), autocommit=True)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error
    try:
        await connection.execute(SESSION)
    except BaseException as error:
        await connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise _unreachable(error) from error
        raise
    return AsyncPsycopgHandle(connection)


async def listen(url: str, channel: str) -> AsyncIterator[None]:
    """Yield once when LISTEN is in force, and then at every notification on the channel; raises when the session ends."""
    handle = await aconnect_psycopg(url)
    try:
        await handle.raw.execute(f'listen "{channel}"')
        yield
        async for _ in handle.raw.notifies():
            yield
    finally:
        with suppress(Exception):
            await handle.close()


def check_committed(tag: str | None) -> None:
    """Raise unless the server's answer to COMMIT was COMMIT."""
    if tag != "COMMIT":
        raise DatabaseError(
            f"COMMIT was answered with {tag}: a statement had failed, so nothing of the transaction is stored"
        )


@cache
def _ended_pgconn() -> Any:
    """What a connection is left with whose session goes on under another."""
    pgconn = PGconn.connect_start(b"host=/")
    pgconn.finish()
    return pgconn


def _conninfo(url: str) -> str:
    mine = {key: value for key, value in SETTINGS.items() if f"{key}=" not in url}
    try:
        return make_conninfo(url, **mine)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"the PostgreSQL URL cannot be read: {' '.join(str(error).split())}") from error


def _check(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.closed:
        raise UnusableConnection("the psycopg connection is closed; nothing was enqueued. Open a new one")
    if connection.info.transaction_status is TransactionStatus.INERROR:
        raise UnusableConnection(
            "the transaction on the psycopg connection has failed (a statement before raised); nothing was enqueued."
            " Roll back, or roll back to a savepoint, first"
        )


def _is_closed(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    if connection.closed:
        return True
    return has_said_something(connection.fileno())


def _translate(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any], error: Exception) -> Exception:
    if not isinstance(error, psycopg.Error):
        return error
    return name_postgres(error, error.sqlstate, is_lost=connection.closed)


def _unreachable(error: psycopg.Error) -> Unavailable:
    reason = " ".join(str(error).split())
    return Unavailable(f"PostgreSQL cannot be reached: {reason}. Check the URL, and that the server runs")
