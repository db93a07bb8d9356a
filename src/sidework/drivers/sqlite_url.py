"""What an SQLite URL means: a file, or a database in memory that the connections of one App share.

Used by `sidework.connect` and by the drivers of sqlite3 and aiosqlite.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl
from weakref import finalize

from sidework.errors import ConfigurationError

FORMS = (
    "sqlite:///relative.db (three slashes), sqlite:////absolute/path.db (four), sqlite:// (in memory), "
    "each also as sqlite+pysqlite: or sqlite+aiosqlite:"
)

BUSY_TIMEOUT = 10.0
"""Seconds that a connection of ours waits for the write lock before it reports a conflict."""


class MemoryDatabase:
    """A database in memory with a name of its own, alive while one connection is kept open.

    It is SQLite's `memdb` file system, not a shared cache: there, readers and writers collide table by table, with
    errors that no busy timeout waits for; here they wait for each other as on a file without WAL.
    """

    def __init__(self) -> None:
        self.uri = f"file:/sidework-{secrets.token_hex(8)}?vfs=memdb"
        self._lock = threading.Lock()
        self._release: Callable[[], object] | None = None

    def keep(self) -> None:
        """Keep what is stored until `close`, or until nobody knows this object."""
        with self._lock:
            if self._release is None:
                keeper = sqlite3.connect(self.uri, uri=True, check_same_thread=False)
                # sqlite3 opens the database lazily, and a database that nobody has opened is not there.
                keeper.execute("pragma schema_version").fetchall()
                self._release = finalize(self, keeper.close)

    def close(self) -> None:
        """Let go: what is stored is gone when the last other connection closes."""
        with self._lock:
            release, self._release = self._release, None
        if release is not None:
            release()


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """Where the database is: `path` of the file, or `memory`; `timeout` is how long to wait for a lock, in seconds."""

    path: Path | None = None
    memory: MemoryDatabase | None = None
    timeout: float = BUSY_TIMEOUT

    @property
    def target(self) -> str:
        """What sqlite3.connect is given (with `uri=True` for memory)."""
        return str(self.path) if self.memory is None else self.memory.uri

    def prepare(self) -> None:
        """See to it that a connection can be opened; raises ConfigurationError where the folder is missing."""
        if self.memory is not None:
            self.memory.keep()
        elif self.path is not None and not self.path.parent.is_dir():
            raise ConfigurationError(
                f"the folder {str(self.path.parent)!r} of the SQLite database {self.path.name!r} does not exist; "
                "create it, or correct the URL"
            )

    def close(self) -> None:
        """Let a database in memory go; a file has nothing to close."""
        if self.memory is not None:
            self.memory.close()


def parse_sqlite_url(url: str) -> SqliteUrl:
    """The database that a URL names; a relative path counts from the folder that is current now.

    As in SQLAlchemy, the path is taken literally: `%20` is not a space.

    >>> parse_sqlite_url("sqlite:////var/lib/jobs.db").path
    PosixPath('/var/lib/jobs.db')
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"}:
        raise ConfigurationError(f"expected an SQLite URL, got {url!r}; the forms are {FORMS}")
    place, _, query = rest.partition("?")
    timeout = _timeout(url, query)
    if place in {"", "/", "/:memory:"}:
        return SqliteUrl(memory=MemoryDatabase(), timeout=timeout)
    if not place.startswith("/"):
        raise ConfigurationError(f"expected three or four slashes before the path in {url!r}; the forms are {FORMS}")
    if place.startswith("/file:") or "\0" in place:
        raise ConfigurationError(f"expected a plain path in {url!r}; the forms are {FORMS}")
    return SqliteUrl(path=Path.cwd() / place[1:], timeout=timeout)


def _timeout(url: str, query: str) -> float:
    timeout = str(BUSY_TIMEOUT)
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != "timeout":
            raise ConfigurationError(f"unknown option {name!r} in {url!r}: the only one is timeout=SECONDS; remove it")
        timeout = value
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST:
        raise ConfigurationError(f"expected timeout to be seconds between 0 and {_LONGEST}, got {timeout!r} in {url!r}")
    return seconds


_LONGEST = 3600
