"""Fixtures that give each test a database of its own on real servers; `tests/conftest.py` loads it for every test.

The servers are shared by the whole run. Under pytest-xdist the controller starts them before its workers, which learn
the addresses from the environment; without it they start when a test first asks. A server that cannot be had is an
error, never a skip.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaAdmin, MariaServer
from tests.servers.postgres import PostgresAdmin, PostgresServer

POSTGRES = "SIDEWORK_TEST_POSTGRES_URL"
MARIADB = "SIDEWORK_TEST_MARIADB_URL"
SERVERS: dict[str, Callable[[], PostgresServer | MariaServer]] = {POSTGRES: PostgresServer, MARIADB: MariaServer}


class SharedServers:
    """The servers that this test run started, each of which is announced in an environment variable."""

    def __init__(self) -> None:
        self._started: dict[str, PostgresServer | MariaServer] = {}

    def url(self, variable: str) -> str:
        """The administrator's URL of a server: the one named by the variable, or one that is started now."""
        if variable not in os.environ:
            server = SERVERS[variable]()
            self._started[variable] = server
            server.start()
            os.environ[variable] = server.url
        return os.environ[variable]

    def start_all(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.url, SERVERS))

    def stop_all(self) -> None:
        for variable, server in self._started.items():
            os.environ.pop(variable, None)
            server.stop()
        self._started.clear()


SHARED = pytest.StashKey[SharedServers]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SHARED] = SharedServers()
    is_controller = bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")
    if is_controller and not config.option.collectonly:
        config.stash[SHARED].start_all()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SHARED].stop_all()


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Names that no other test of this run or of another one uses."""
    return (f"sidework_{os.getpid()}_{number}" for number in itertools.count(1))


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, database_names: Iterator[str]) -> Iterator[str]:
    """An empty PostgreSQL database: `postgresql://...`."""
    yield from _database(PostgresAdmin(request.config.stash[SHARED].url(POSTGRES)), next(database_names))


@pytest.fixture
def mysql_url(request: pytest.FixtureRequest, database_names: Iterator[str]) -> Iterator[str]:
    """An empty MariaDB database: `mysql://...`."""
    yield from _database(MariaAdmin(request.config.stash[SHARED].url(MARIADB)), next(database_names))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database file that does not exist yet: `sqlite:////absolute/path`."""
    return f"sqlite:///{tmp_path / 'sidework.db'}"


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def any_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn."""
    fixture = {"postgres": "postgres_url", "mariadb": "mysql_url", "sqlite": "sqlite_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


def _database(admin: PostgresAdmin | MariaAdmin, name: str) -> Iterator[str]:
    yield admin.create_database(name)
    admin.drop_database(name)
