"""The stores and the drivers that the suite holds to the same behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidework.core.store import Store
from sidework.drivers.aiosqlite import connect_aiosqlite
from sidework.drivers.asyncmy import connect_asyncmy
from sidework.drivers.mysql_url import parse_mysql_url
from sidework.drivers.owned import AsyncOwned, Owned
from sidework.drivers.psycopg import aconnect_psycopg, connect_psycopg
from sidework.drivers.pymysql import connect_pymysql
from sidework.drivers.sqlite3 import connect_sqlite
from sidework.drivers.sqlite_url import parse_sqlite_url
from sidework.stores.mysql import MySQLStore
from sidework.stores.postgres import PostgresStore
from sidework.stores.sqlite import SQLiteStore
from tests.conformance.lines import AsyncLine, Line, SyncLine

OpenLine = Callable[[], Line]


def psycopg(url: str) -> OpenLine:
    return lambda: SyncLine(Owned(lambda: connect_psycopg(url)))


def psycopg_async(url: str) -> OpenLine:
    return lambda: AsyncLine(AsyncOwned(lambda: aconnect_psycopg(url)))


def pymysql(url: str) -> OpenLine:
    address = parse_mysql_url(url)
    return lambda: SyncLine(Owned(lambda: connect_pymysql(address)))


def asyncmy(url: str) -> OpenLine:
    address = parse_mysql_url(url)
    return lambda: AsyncLine(AsyncOwned(lambda: connect_asyncmy(address)))


def sqlite3(url: str) -> OpenLine:
    target = parse_sqlite_url(url)
    return lambda: SyncLine(Owned(lambda: connect_sqlite(target)))


def aiosqlite(url: str) -> OpenLine:
    target = parse_sqlite_url(url)
    return lambda: AsyncLine(AsyncOwned(lambda: connect_aiosqlite(target)))


@dataclass(frozen=True)
class Pair:
    """One database with one client library; `lines` makes the maker of connections to a URL."""

    database: str
    make_store: Callable[[str], Store]
    lines: Callable[[str], OpenLine]

    @property
    def name(self) -> str:
        return f"{self.database}-{self.lines.__name__}"


POSTGRES = Pair("postgres", PostgresStore, psycopg)
POSTGRES_ASYNC = Pair("postgres", PostgresStore, psycopg_async)
MYSQL = Pair("mysql", MySQLStore, pymysql)
MYSQL_ASYNC = Pair("mysql", MySQLStore, asyncmy)
SQLITE = Pair("sqlite", SQLiteStore, sqlite3)
SQLITE_ASYNC = Pair("sqlite", SQLiteStore, aiosqlite)
MEMORY = Pair("memory", SQLiteStore, sqlite3)

PAIRS = (POSTGRES, POSTGRES_ASYNC, MYSQL, MYSQL_ASYNC, SQLITE, SQLITE_ASYNC, MEMORY)

SERVERS = (POSTGRES, POSTGRES_ASYNC, MYSQL, MYSQL_ASYNC)
"""Where several transactions write at the same time."""

STORES = (POSTGRES, MYSQL, SQLITE)
"""Each database once, for what does not depend on the driver and takes its time."""
