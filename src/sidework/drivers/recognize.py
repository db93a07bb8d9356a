"""Which handle an application gave us, told by its type; only libraries that it has imported are looked at."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sidework.drivers.base import AsyncHandle, Handle
from sidework.drivers.borrowed import AsyncBorrowed, Borrowed


def borrow(connection: object, database: str) -> Borrowed:
    """The caller's sync handle, ready for operations of a store of `database`."""
    return Borrowed(recognize(connection, database))


def aborrow(connection: object, database: str) -> AsyncBorrowed:
    """The same for an async handle."""
    return AsyncBorrowed(arecognize(connection, database))


def recognize(connection: object, database: str) -> Handle:
    """The adapter of a sync handle; TypeError for anything else, and for a handle of another database."""
    kind = _kind_of(connection)
    if kind.is_async:
        raise TypeError(f"{_name(connection)} is an async handle: await the async twin (aenqueue() for enqueue())")
    handle: Handle = _adapt(connection, kind, database)
    return handle


def arecognize(connection: object, database: str) -> AsyncHandle:
    """The same for an async handle."""
    kind = _kind_of(connection)
    if not kind.is_async:
        raise TypeError(
            f"{_name(connection)} is a sync handle, which would hold up the event loop: use the sync twin"
            " (enqueue() for aenqueue()), in the thread that the handle belongs to"
        )
    handle: AsyncHandle = _adapt(connection, kind, database)
    return handle


def is_async_handle(connection: object) -> bool:
    """Is it a handle whose operations are awaited?"""
    return any(kind.is_async for kind in _KINDS if _is_instance(connection, kind.module, kind.name))


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class of a library, and our adapter for it; `database` is None where the adapter tells it."""

    module: str
    name: str
    adapter: str
    database: str | None
    is_async: bool = False


_POSTGRES, _MYSQL, _SQLITE = "postgresql", "mysql", "sqlite"

_KINDS = (
    _Kind("psycopg", "Connection", "psycopg.PsycopgHandle", _POSTGRES),
    _Kind("psycopg", "AsyncConnection", "psycopg.AsyncPsycopgHandle", _POSTGRES, is_async=True),
    _Kind("psycopg2.extensions", "connection", "psycopg2.Psycopg2Handle", _POSTGRES),
    _Kind("asyncpg", "Connection", "asyncpg.AsyncpgHandle", _POSTGRES, is_async=True),  # a pool's proxy counts as one
    _Kind("sqlalchemy.engine", "Connection", "sqlalchemy.SqlalchemyHandle", None),
    *(_Kind("sqlalchemy.orm", name, "sqlalchemy.SqlalchemyHandle", None) for name in ("Session", "scoped_session")),
    *(
        _Kind("sqlalchemy.ext.asyncio", name, "sqlalchemy_async.AsyncSqlalchemyHandle", None, is_async=True)
        for name in ("AsyncConnection", "AsyncSession", "async_scoped_session")
    ),
    _Kind("django.db.backends.base.base", "BaseDatabaseWrapper", "django.DjangoHandle", None),
    _Kind("django.utils.connection", "ConnectionProxy", "django.DjangoHandle", None),
    _Kind("pymysql.connections", "Connection", "pymysql.PyMySQLHandle", _MYSQL),
    _Kind("MySQLdb.connections", "Connection", "mysqlclient.MySQLClientHandle", _MYSQL),
    _Kind("asyncmy.connection", "Connection", "asyncmy.AsyncmyHandle", _MYSQL, is_async=True),
    _Kind("aiomysql", "Connection", "aiomysql.AiomysqlHandle", _MYSQL, is_async=True),
    _Kind("sqlite3", "Connection", "sqlite3.SqliteHandle", _SQLITE),
    _Kind("aiosqlite", "Connection", "aiosqlite.AsyncSqliteHandle", _SQLITE, is_async=True),
)

_DJANGO_ALIAS = _Kind("builtins", "str", "django.DjangoHandle", None)

_SUPPORTED = """
  PostgreSQL: psycopg Connection and AsyncConnection, psycopg2, asyncpg
  MySQL and MariaDB: PyMySQL, mysqlclient, asyncmy, aiomysql
  SQLite: sqlite3, aiosqlite
  all of them: SQLAlchemy Connection, Session, AsyncConnection and AsyncSession; django.db.connection or an alias"""

_TAKE = "take a connection from the pool, and pass that"
_CURSOR = "a cursor is not enough: pass the connection that it belongs to"
_OPEN = "pass a connection that it opens (`with engine.connect() as connection`), or a Session"
_AOPEN = "pass a connection that it opens (`async with engine.connect() as connection`), or an AsyncSession"
_SESSION = "call it, and pass the session that it makes"
_TRANSACTION = "pass the connection or session that the transaction belongs to"

_HINTS = (
    ("sqlalchemy.engine", "Engine", _OPEN),
    ("sqlalchemy.engine", "Transaction", _TRANSACTION),
    ("sqlalchemy.orm", "SessionTransaction", _TRANSACTION),
    ("sqlalchemy.orm", "sessionmaker", _SESSION),
    ("sqlalchemy.ext.asyncio", "AsyncEngine", _AOPEN),
    ("sqlalchemy.ext.asyncio", "AsyncTransaction", _TRANSACTION),
    ("sqlalchemy.ext.asyncio", "AsyncSessionTransaction", _TRANSACTION),
    ("sqlalchemy.ext.asyncio", "async_sessionmaker", _SESSION),
    ("sqlalchemy.pool", "PoolProxiedConnection", "pass its `driver_connection`, or better `engine.connect()`"),
    ("psycopg", "Transaction", _TRANSACTION),
    ("psycopg", "AsyncTransaction", _TRANSACTION),
    ("asyncpg.transaction", "Transaction", _TRANSACTION),
    ("psycopg", "Cursor", _CURSOR),
    ("psycopg", "AsyncCursor", _CURSOR),
    ("psycopg2.extensions", "cursor", _CURSOR),
    ("asyncpg.cursor", "BaseCursor", _CURSOR),
    ("pymysql.cursors", "Cursor", _CURSOR),
    ("MySQLdb.cursors", "BaseCursor", _CURSOR),
    ("asyncmy.cursors", "Cursor", _CURSOR),
    ("aiomysql", "Cursor", _CURSOR),
    ("sqlite3", "Cursor", _CURSOR),
    ("aiosqlite", "Cursor", _CURSOR),
    ("django.db.backends.utils", "CursorWrapper", _CURSOR),
    ("psycopg_pool", "ConnectionPool", _TAKE),
    ("psycopg_pool", "AsyncConnectionPool", _TAKE),
    ("psycopg2.pool", "AbstractConnectionPool", _TAKE),
    ("asyncpg", "Pool", _TAKE),
    ("asyncmy.pool", "Pool", _TAKE),
    ("aiomysql", "Pool", _TAKE),
    ("django.db.transaction", "Atomic", "pass django.db.connection, or the alias"),
    ("django.utils.connection", "BaseConnectionHandler", 'pass one of them, such as connections["default"]'),
    ("types", "CoroutineType", "it is a coroutine that was never awaited: await it first"),
    ("contextlib", "AbstractContextManager", "enter it with `with`, and pass what it yields"),
    ("contextlib", "AbstractAsyncContextManager", "enter it with `async with`, and pass what it yields"),
    ("builtins", "str", "a URL belongs to App(url); an alias is known once Django is configured with it"),
)

_NAMES = {_POSTGRES: "PostgreSQL", _MYSQL: "MySQL or MariaDB", _SQLITE: "SQLite"}


def _kind_of(connection: object) -> _Kind:
    for kind in _KINDS:
        if _is_instance(connection, kind.module, kind.name):
            return kind
    if isinstance(connection, str) and connection in _django_aliases():
        return _DJANGO_ALIAS
    hint = next((hint for module, name, hint in _HINTS if _is_instance(connection, module, name)), None)
    advice = f": {hint}. Supported are" if hint else ". Supported are"
    raise TypeError(f"{_name(connection)} is no connection that Sidework can use{advice}{_SUPPORTED}")


def _is_instance(thing: object, module: str, name: str) -> bool:
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(thing, cls)


def _django_aliases() -> Iterable[str]:
    conf: Any = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return ()
    aliases: Iterable[str] = importlib.import_module("django.db").connections
    return aliases


def _adapt(connection: object, kind: _Kind, database: str) -> Any:
    module, name = kind.adapter.split(".")
    handle: Any = getattr(importlib.import_module(f"sidework.drivers.{module}"), name)(connection)
    theirs: str = kind.database or handle.database
    if theirs != database:
        raise TypeError(
            f"{_name(connection)} is a handle of {_NAMES.get(theirs, theirs)}, but the jobs of this App are in"
            f" {_NAMES.get(database, database)}: pass a handle of that database, or leave `connection` out"
        )
    return handle


def _name(thing: object) -> str:
    cls = type(thing)
    shown = f" {thing!r}" if isinstance(thing, str) and "://" not in thing else ""
    return f"{cls.__module__}.{cls.__qualname__}{shown}".removeprefix("builtins.")
