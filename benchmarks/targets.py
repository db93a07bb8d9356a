"""The databases that are measured: servers of the run's own, or those named in the environment as for the tests."""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from tests.servers import MariaAdmin, MariaServer, PostgresAdmin, PostgresServer

DATABASES = ("postgresql", "mariadb", "sqlite")


@dataclass(frozen=True, slots=True)
class Target:
    """One database system; `fresh` gives the URL of an empty database, which is removed afterwards."""

    name: str
    version: str
    settings: str
    fresh: Callable[[], AbstractContextManager[str]]


@contextmanager
def opened(name: str) -> Iterator[Target]:
    """The target of that name, its server running."""
    with {"postgresql": _postgresql, "mariadb": _mariadb, "sqlite": _sqlite}[name]() as target:
        yield target


def connect(url: str, *, autocommit: bool) -> Any:
    """A bare connection of the library that Sidework's own connections use too, set as those are."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        connection = sqlite3.connect(parts.path[1:], timeout=30, isolation_level=None if autocommit else "IMMEDIATE")
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection
    if parts.scheme == "mysql":
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path[1:],
            charset="utf8mb4",
            autocommit=autocommit,
            init_command="set session transaction isolation level read committed",
        )
    return psycopg.connect(url, autocommit=autocommit)


def execute(connection: Any, sql: str, *parameters: object) -> Any:
    """Run one statement; the cursor is for its rows."""
    cursor = connection.cursor()
    cursor.execute(sql, parameters)
    return cursor


def refresh_statistics(url: str) -> None:
    """Tell the planner what a table holds, as the server itself does a while after it was filled."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")


@contextmanager
def _postgresql() -> Iterator[Target]:
    with _server("SIDEWORK_TEST_POSTGRES_URL", PostgresServer) as url:
        with psycopg.connect(url) as connection:
            version = _first(connection, "show server_version")
            names = ("fsync", "full_page_writes", "synchronous_commit", "shared_buffers")
            settings = [f"{name}={_first(connection, f'show {name}')}" for name in names]
        yield Target("postgresql", version, ", ".join(settings), _fresh(PostgresAdmin(url)))


@contextmanager
def _mariadb() -> Iterator[Target]:
    with _server("SIDEWORK_TEST_MARIADB_URL", MariaServer) as url:
        connection = connect(url, autocommit=True)
        version = _first(connection, "select version()")
        names = ("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_buffer_pool_size")
        settings = [f"{name}={_first(connection, f'select @@{name}')}" for name in names]
        connection.close()
        yield Target("mariadb", version, ", ".join(settings), _fresh(MariaAdmin(url)))


@contextmanager
def _sqlite() -> Iterator[Target]:
    with tempfile.TemporaryDirectory(prefix="sidework-bench-") as folder:
        numbers = itertools.count(1)

        @contextmanager
        def fresh() -> Iterator[str]:
            path = Path(folder) / f"{next(numbers)}.db"
            yield f"sqlite:///{path}"
            for left in Path(folder).glob(f"{path.name}*"):
                left.unlink()

        yield Target("sqlite", sqlite3.sqlite_version, "journal_mode=wal, synchronous=full", fresh)


@contextmanager
def _server(variable: str, make: Callable[[], PostgresServer | MariaServer]) -> Iterator[str]:
    if variable in os.environ:
        yield os.environ[variable]
        return
    server = make()
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _fresh(admin: PostgresAdmin | MariaAdmin) -> Callable[[], AbstractContextManager[str]]:
    numbers = itertools.count(1)

    @contextmanager
    def fresh() -> Iterator[str]:
        name = f"sidework_bench_{os.getpid()}_{next(numbers)}"
        url = admin.create_database(name)
        try:
            yield url
        finally:
            admin.drop_database(name)

    return fresh


def _first(connection: Any, sql: str) -> str:
    return str(execute(connection, sql).fetchone()[0])
