"""Databases that the tests of a folder share, with Sidework's tables in them, emptied before each test.

Making tables takes longer than most tests; those that make, remove or count tables use `any_url` instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pymysql
import pytest

from sidework import App
from sidework.drivers.mysql_url import parse_mysql_url
from tests.servers.mariadb import MariaAdmin
from tests.servers.plugin import MARIADB, POSTGRES, SHARED
from tests.servers.postgres import PostgresAdmin

EMPTIED = ("jobs", "history", "given_ids", "cancellations", "progress", "workers", "queues")


@dataclass
class SharedDatabases:
    """The URL of each kind of database, once a test has asked for it."""

    urls: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def shared_databases(
    request: pytest.FixtureRequest, database_names: Iterator[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedDatabases]:
    """Makes databases when they are first asked for, and removes those on servers at the end."""
    made: list[tuple[PostgresAdmin | MariaAdmin, str]] = []

    class Lazily(dict[str, str]):
        def __missing__(self, kind: str) -> str:
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'sidework.db'}"
            else:
                servers = request.config.stash[SHARED]
                admin: PostgresAdmin | MariaAdmin = (
                    PostgresAdmin(servers.url(POSTGRES)) if kind == "postgres" else MariaAdmin(servers.url(MARIADB))
                )
                made.append((admin, next(database_names)))
                url = admin.create_database(made[-1][1])
            with App(url) as app:
                app.migrate()
            self[kind] = url
            return url

    yield SharedDatabases(Lazily())
    for admin, name in made:
        admin.drop_database(name)


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def url(request: pytest.FixtureRequest, shared_databases: SharedDatabases) -> str:
    """A database of each kind in turn, its tables there and empty."""
    url = shared_databases.urls[request.param]
    empty(url)
    return url


@pytest.fixture
def lite_url(shared_databases: SharedDatabases) -> str:
    """The same on SQLite, where the database makes no difference."""
    url = shared_databases.urls["sqlite"]
    empty(url)
    return url


def empty(url: str) -> None:
    """Remove every row but the version and the counters."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as postgres:
            for table in EMPTIED:
                postgres.execute(f"delete from sidework.{table}".encode())
        return
    connection = (
        sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        if url.startswith("sqlite")
        else pymysql.connect(**parse_mysql_url(url).arguments())
    )
    try:
        cursor = connection.cursor()
        for table in EMPTIED:
            cursor.execute(f"delete from sidework_{table}")
    finally:
        connection.close()
