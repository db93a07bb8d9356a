"""Every kind of handle that an application may hold, and how it opens one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiomysql
import aiosqlite
import asyncmy
import asyncmy.cursors
import asyncpg
import MySQLdb
import MySQLdb.cursors
import psycopg
import psycopg2
import psycopg2.extras
import psycopg_pool
import pymysql
import pymysql.cursors
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext import asyncio as async_sqlalchemy

from tests.conformance.callers import (
    AsyncCaller,
    AsyncMySQLCaller,
    AsyncpgCaller,
    AsyncpgPoolCaller,
    AsyncSqlalchemyCaller,
    Caller,
    DjangoCaller,
    MySQLCaller,
    SqlalchemyCaller,
    Wish,
    wait,
)


@dataclass(frozen=True)
class Kind:
    """A kind of handle: which database it is of, and how an application opens it."""

    name: str
    database: str
    open: Callable[[Wish, asyncio.Runner], Caller]

    def __str__(self) -> str:
        return self.name


def open_psycopg(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows: Any = psycopg.rows.dict_row if wish.odd else psycopg.rows.tuple_row
    return Caller(psycopg.connect(wish.url, autocommit=wish.autocommit, row_factory=rows), runner)


def open_psycopg_async(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows: Any = psycopg.rows.dict_row if wish.odd else psycopg.rows.tuple_row
    connecting = psycopg.AsyncConnection.connect(wish.url, autocommit=wish.autocommit, row_factory=rows)
    return AsyncCaller(runner.run(connecting), runner)


def open_psycopg_pool(wish: Wish, runner: asyncio.Runner) -> Caller:
    pool = psycopg_pool.ConnectionPool(wish.url, min_size=1, open=True, kwargs={"autocommit": wish.autocommit})
    return Caller(pool.getconn(), runner, pool.close)


def open_psycopg2(wish: Wish, runner: asyncio.Runner) -> Caller:
    connection = psycopg2.connect(wish.url, cursor_factory=psycopg2.extras.RealDictCursor if wish.odd else None)
    connection.autocommit = wish.autocommit
    if wish.odd:
        marked = psycopg2.extensions.new_type((20, 23, 25), "MARKED", lambda value, _: [value])
        psycopg2.extensions.register_type(marked, connection)
    return Caller(connection, runner)


def open_asyncpg(wish: Wish, runner: asyncio.Runner) -> Caller:
    raw = runner.run(asyncpg.connect(wish.url))
    if wish.odd:
        runner.run(_set_codecs(raw))
    return AsyncpgCaller(raw, runner)


def open_asyncpg_pool(wish: Wish, runner: asyncio.Runner) -> Caller:
    init = _set_codecs if wish.odd else None
    pool = runner.run(wait(asyncpg.create_pool(wish.url, min_size=1, max_size=1, init=init)))
    return AsyncpgPoolCaller(runner.run(wait(pool.acquire())), runner, pool)


async def _set_codecs(raw: Any) -> None:
    await raw.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    await raw.set_type_codec("uuid", schema="pg_catalog", encoder=lambda value: value.hex, decoder=uuid.UUID)


def open_pymysql(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows = pymysql.cursors.DictCursor if wish.odd else pymysql.cursors.Cursor
    raw = pymysql.connect(**wish.account, database=wish.name, autocommit=wish.autocommit, cursorclass=rows)
    return MySQLCaller(raw, runner)


def open_mysqlclient(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows = MySQLdb.cursors.SSDictCursor if wish.odd else MySQLdb.cursors.Cursor
    raw = MySQLdb.connect(**wish.account, database=wish.name, autocommit=wish.autocommit, cursorclass=rows)
    return MySQLCaller(raw, runner)


def open_asyncmy(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows = asyncmy.cursors.DictCursor if wish.odd else asyncmy.cursors.Cursor
    connecting = asyncmy.connect(**wish.account, db=wish.name, autocommit=wish.autocommit, cursor_cls=rows)
    return AsyncMySQLCaller(runner.run(wait(connecting)), runner)


def open_aiomysql(wish: Wish, runner: asyncio.Runner) -> Caller:
    rows = aiomysql.DictCursor if wish.odd else aiomysql.Cursor
    connecting = aiomysql.connect(**wish.account, db=wish.name, autocommit=wish.autocommit, cursorclass=rows)
    return AsyncMySQLCaller(runner.run(wait(connecting)), runner)


def open_sqlite3(wish: Wish, runner: asyncio.Runner) -> Caller:
    raw = sqlite3.connect(wish.name, isolation_level=None if wish.autocommit else "DEFERRED")
    if wish.odd:
        raw.row_factory = sqlite3.Row
        raw.text_factory = bytes
    return Caller(raw, runner)


def open_aiosqlite(wish: Wish, runner: asyncio.Runner) -> Caller:
    level: Any = None if wish.autocommit else "DEFERRED"
    raw = runner.run(wait(aiosqlite.connect(wish.name, isolation_level=level)))
    if wish.odd:
        raw.row_factory = sqlite3.Row
        raw.text_factory = bytes
    return AsyncCaller(raw, runner)


def sqlalchemy_options(wish: Wish) -> dict[str, Any]:
    odd = {"execution_options": {"stream_results": True, "yield_per": 2, "no_parameters": True}} if wish.odd else {}
    return {**odd, **({"isolation_level": "AUTOCOMMIT"} if wish.autocommit else {})}


def sqlalchemy_kinds(database: str, driver: str, *names: str) -> list[Kind]:
    """The kinds of sync handles over one dialect."""

    def open_connection(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = sqlalchemy.create_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        return SqlalchemyCaller(engine.connect(), runner, engine.dispose)

    def open_session(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = sqlalchemy.create_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        return SqlalchemyCaller(orm.Session(engine), runner, engine.dispose)

    def open_scoped_session(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = sqlalchemy.create_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        return SqlalchemyCaller(orm.scoped_session(orm.sessionmaker(engine)), runner, engine.dispose)

    openers = {"Connection": open_connection, "Session": open_session, "scoped_session": open_scoped_session}
    return [Kind(f"{driver} {name}", database, openers[name]) for name in names]


def async_sqlalchemy_kinds(database: str, driver: str, *names: str) -> list[Kind]:
    """The kinds of async handles over one dialect."""

    def open_connection(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = async_sqlalchemy.create_async_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        return AsyncSqlalchemyCaller(runner.run(wait(engine.connect())), runner, engine.dispose)

    def open_session(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = async_sqlalchemy.create_async_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        return AsyncSqlalchemyCaller(async_sqlalchemy.AsyncSession(engine), runner, engine.dispose)

    def open_scoped_session(wish: Wish, runner: asyncio.Runner) -> Caller:
        engine = async_sqlalchemy.create_async_engine(wish.sqlalchemy(driver), **sqlalchemy_options(wish))
        factory = async_sqlalchemy.async_sessionmaker(engine)
        scoped = async_sqlalchemy.async_scoped_session(factory, scopefunc=lambda: None)
        return AsyncSqlalchemyCaller(scoped, runner, engine.dispose)

    openers = {
        "AsyncConnection": open_connection,
        "AsyncSession": open_session,
        "async_scoped_session": open_scoped_session,
    }
    return [Kind(f"{driver} {name}", database, openers[name]) for name in names]


def open_django(wish: Wish, runner: asyncio.Runner) -> Caller:
    from django.db import connections

    alias = configure_django(wish)

    def forget() -> None:
        del connections[alias]
        del connections.settings[alias]

    return DjangoCaller(connections[alias], runner, forget)


def configure_django(wish: Wish) -> str:
    """Add the database to Django's settings; its alias there."""
    import django
    from django.conf import settings
    from django.db import connections

    if not settings.configured:
        settings.configure(DATABASES={}, USE_TZ=True)
        django.setup()
    engine = {"postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite3"}[urlsplit(wish.url).scheme]
    parts = {key.upper(): value for key, value in wish.account.items()} if engine != "sqlite3" else {}
    alias = "of_the_test"
    database = {"ENGINE": f"django.db.backends.{engine}", "NAME": wish.name, **parts}
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: database})[alias]
    return alias


KINDS = [
    Kind("psycopg", "postgres", open_psycopg),
    Kind("psycopg async", "postgres", open_psycopg_async),
    Kind("psycopg pool", "postgres", open_psycopg_pool),
    Kind("psycopg2", "postgres", open_psycopg2),
    Kind("asyncpg", "postgres", open_asyncpg),
    Kind("asyncpg pool", "postgres", open_asyncpg_pool),
    *sqlalchemy_kinds("postgres", "postgresql+psycopg", "Connection", "Session", "scoped_session"),
    *sqlalchemy_kinds("postgres", "postgresql+psycopg2", "Connection", "Session"),
    *async_sqlalchemy_kinds("postgres", "postgresql+psycopg", "AsyncConnection", "AsyncSession"),
    *async_sqlalchemy_kinds(
        "postgres", "postgresql+asyncpg", "AsyncConnection", "AsyncSession", "async_scoped_session"
    ),
    Kind("Django on PostgreSQL", "postgres", open_django),
    Kind("PyMySQL", "mysql", open_pymysql),
    Kind("mysqlclient", "mysql", open_mysqlclient),
    Kind("asyncmy", "mysql", open_asyncmy),
    Kind("aiomysql", "mysql", open_aiomysql),
    *sqlalchemy_kinds("mysql", "mysql+pymysql", "Connection", "Session"),
    *sqlalchemy_kinds("mysql", "mariadb+mysqldb", "Connection", "Session"),
    *async_sqlalchemy_kinds("mysql", "mysql+asyncmy", "AsyncConnection", "AsyncSession"),
    *async_sqlalchemy_kinds("mysql", "mysql+aiomysql", "AsyncConnection", "AsyncSession"),
    Kind("Django on MySQL", "mysql", open_django),
    Kind("sqlite3", "sqlite", open_sqlite3),
    Kind("aiosqlite", "sqlite", open_aiosqlite),
    *sqlalchemy_kinds("sqlite", "sqlite+pysqlite", "Connection", "Session"),
    *async_sqlalchemy_kinds("sqlite", "sqlite+aiosqlite", "AsyncConnection", "AsyncSession"),
    Kind("Django on SQLite", "sqlite", open_django),
]
