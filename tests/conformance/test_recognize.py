"""What is taken as a connection, and what is said of everything else."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import aiosqlite
import asyncpg
import psycopg
import psycopg2
import psycopg_pool
import pytest
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext import asyncio as async_sqlalchemy

from sidework.drivers.recognize import aborrow, arecognize, borrow, recognize
from sidework.errors import UnusableConnection
from tests.conformance.callers import Wish
from tests.conformance.kinds import open_django


@pytest.fixture
def engine() -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


class Connection(sqlite3.Connection):
    """An application's own."""


def test_subclasses_are_recognised() -> None:
    connection = sqlite3.connect(":memory:", factory=Connection)
    assert recognize(connection, "sqlite").raw is connection
    connection.close()


def test_the_session_of_a_scoped_session_is_used_and_the_scoped_one_shown(engine: sqlalchemy.Engine) -> None:
    scoped = orm.scoped_session(orm.sessionmaker(engine))
    assert recognize(scoped, "sqlite").raw is scoped


def test_django_is_recognised_by_alias_proxy_and_wrapper(sqlite_url: str, runner: asyncio.Runner) -> None:
    caller = open_django(Wish(sqlite_url), runner)
    from django.db import connections
    from django.utils.connection import ConnectionProxy

    for form in (caller.raw, caller.raw.alias, ConnectionProxy(connections, caller.raw.alias)):
        assert recognize(form, "sqlite").raw is caller.raw
    caller.clean_up()


def test_a_proxy_of_something_else_in_django_is_refused(sqlite_url: str, runner: asyncio.Runner) -> None:
    caller = open_django(Wish(sqlite_url), runner)
    from django.core.cache import cache

    with pytest.raises(TypeError, match="one of Django's database connections"):
        recognize(cache, "sqlite")
    caller.clean_up()


def test_a_sync_handle_is_refused_by_async_operations(memory: sqlite3.Connection) -> None:
    with pytest.raises(TypeError, match=r"sqlite3\.Connection is a sync handle.*enqueue\(\)"):
        aborrow(memory, "sqlite")


async def test_an_async_handle_is_refused_by_sync_operations() -> None:
    async with aiosqlite.connect(":memory:") as connection:
        with pytest.raises(TypeError, match=r"aiosqlite.*Connection is an async handle.*aenqueue\(\)"):
            borrow(connection, "sqlite")


def test_a_handle_of_another_database_is_refused(memory: sqlite3.Connection, engine: sqlalchemy.Engine) -> None:
    with pytest.raises(TypeError, match="is a handle of SQLite, but the jobs of this App are in PostgreSQL"):
        recognize(memory, "postgresql")
    with orm.Session(engine) as session, pytest.raises(TypeError, match=r"Session is a handle of SQLite.*in MySQL"):
        recognize(session, "mysql")


@pytest.mark.parametrize("thing", [None, 7, object(), {}, ("a", "b")], ids=lambda thing: type(thing).__name__)
def test_anything_else_is_refused_with_a_list_of_what_is_supported(thing: object) -> None:
    for take in (recognize, arecognize):
        with pytest.raises(TypeError) as raised:
            take(thing, "postgresql")
        message = str(raised.value)
        assert message.startswith(f"{type(thing).__qualname__} is no connection that Sidework can use. Supported are")
        for library in (
            "psycopg2",
            "asyncpg",
            "PyMySQL",
            "mysqlclient",
            "asyncmy",
            "aiosqlite",
            "AsyncSession",
            "django",
        ):
            assert library in message


MISSES: dict[str, tuple[Callable[[], Any], str]] = {
    "engine": (lambda: sqlalchemy.create_engine("sqlite://"), r"engine\.connect\(\)"),
    "async engine": (lambda: async_sqlalchemy.create_async_engine("sqlite+aiosqlite://"), r"engine\.connect\(\)"),
    "sessionmaker": (orm.sessionmaker, "the session that it makes"),
    "async_sessionmaker": (async_sqlalchemy.async_sessionmaker, "the session that it makes"),
    "engine.begin()": (lambda: sqlalchemy.create_engine("sqlite://").begin(), "enter it with `with`"),
    "psycopg pool": (lambda: psycopg_pool.ConnectionPool("", open=False), "take a connection from the pool"),
    "asyncpg pool class": (lambda: asyncpg.Pool, "is no connection"),
    "URL": (lambda: "postgresql://me:secret@localhost/shop", r"a URL belongs to App\(url\)"),
    "psycopg class": (lambda: psycopg.Connection, "is no connection"),
    "psycopg2 module": (lambda: psycopg2, "is no connection"),
}


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_told_what_to_give_instead(name: str) -> None:
    make, advice = MISSES[name]
    with pytest.raises(TypeError, match=advice) as raised:
        borrow(make(), "sqlite")
    assert "secret" not in str(raised.value)


def test_a_cursor_and_a_transaction_are_told_to_give_their_connection(
    memory: sqlite3.Connection, engine: sqlalchemy.Engine
) -> None:
    with pytest.raises(TypeError, match="pass the connection that it belongs to"):
        borrow(memory.cursor(), "sqlite")
    with engine.begin() as connection, pytest.raises(TypeError, match="that the transaction belongs to"):
        borrow(connection.get_transaction(), "sqlite")


def test_a_session_that_is_bound_to_nothing_is_refused() -> None:
    with orm.Session() as session, pytest.raises(UnusableConnection, match="bind="):
        borrow(session, "sqlite")


def test_a_session_that_divides_its_work_enqueues_where_it_writes(engine: sqlalchemy.Engine) -> None:
    reader = sqlalchemy.create_engine("sqlite://")

    class Routing(orm.Session):
        def get_bind(self, mapper: Any = None, *, clause: Any = None, **_: Any) -> sqlalchemy.Engine:
            return engine if self._flushing or isinstance(clause, (sqlalchemy.Update, sqlalchemy.Delete)) else reader

    with Routing() as session:
        handle: Any = recognize(session, "sqlite")
        assert handle._connection().engine is engine
    reader.dispose()


async def test_an_async_connection_that_was_never_opened_is_refused() -> None:
    engine = async_sqlalchemy.create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(UnusableConnection, match="never opened"):
        aborrow(engine.connect(), "sqlite")
    await engine.dispose()


def test_no_library_is_imported_that_the_application_did_not_import() -> None:
    program = """
import sqlite3, sys
from sidework.drivers.recognize import recognize
recognize(sqlite3.connect(":memory:"), "sqlite")
try:
    recognize("default", "sqlite")
except TypeError:
    pass
libraries = {"psycopg", "psycopg2", "asyncpg", "sqlalchemy", "django"}
libraries |= {"pymysql", "MySQLdb", "asyncmy", "aiomysql", "aiosqlite"}
print(sorted(libraries & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
