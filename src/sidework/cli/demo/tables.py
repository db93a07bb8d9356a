"""The demo's own tables, in the same database as the jobs: plain SQL through sqlite3 or psycopg."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sidework.drivers.sqlite_url import parse_sqlite_url
from sidework.errors import ConfigurationError

SCHEMA = "sidework_demo"
"""Apart from the jobs of an application that uses the same database."""

CREATE = (
    "create table sidework_demo_runs (files integer not null)",
    # No unique key on purpose: a file that is counted twice would show.
    """
    create table sidework_demo_files (
        job_id text, path text, lines integer, words integer, bytes integer, sha256 text
    )
    """,
)
DROP = ("drop table if exists sidework_demo_runs", "drop table if exists sidework_demo_files")
INSERT_FILE = "insert into sidework_demo_files (job_id, path, lines, words, bytes, sha256) values "
INSERT_RUN = "insert into sidework_demo_runs (files) values "


def placeholders(marker: str, count: int) -> str:
    """The values of a row for a driver's kind of placeholder.

    >>> placeholders("?", 2)
    '(?, ?)'
    """
    return f"({', '.join([marker] * count)})"


class Tables:
    """The demo's tables at a URL of PostgreSQL or of an SQLite file."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_sqlite = url.startswith("sqlite")
        if not self._is_sqlite and not url.startswith("postgres"):
            raise ConfigurationError("the demo runs on postgresql:// and sqlite:/// URLs")
        if self._is_sqlite and parse_sqlite_url(url).path is None:
            raise ConfigurationError("the demo's processes need a database in a file, not in memory: sqlite:///demo.db")

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A connection as an application would hold it; commits at the end, or rolls back."""
        with closing(self._connect()) as connection, connection:
            yield connection

    def create(self) -> None:
        """Make the tables anew."""
        self._run(*DROP, *CREATE)

    def drop(self) -> None:
        """Remove the tables."""
        self._run(*DROP)

    def add_run(self, connection: Any, files: int) -> None:
        """Write a row into `runs`, in the caller's transaction."""
        connection.cursor().execute(INSERT_RUN + placeholders("?" if self._is_sqlite else "%s", 1), (files,))

    def files(self) -> list[tuple[str, str, int]]:
        """The job, path and lines of every file that was counted."""
        with self.transaction() as connection:
            found = connection.execute("select job_id, path, lines from sidework_demo_files").fetchall()
        return [(row[0], row[1], row[2]) for row in found]

    def _run(self, *statements: str) -> None:
        with self.transaction() as connection:
            for statement in statements:
                connection.execute(statement)

    def _connect(self) -> Any:
        if self._is_sqlite:
            return sqlite3.connect(parse_sqlite_url(self._url).target, timeout=10)
        return importlib.import_module("psycopg").connect(self._url)
