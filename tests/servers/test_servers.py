"""The servers that the tests rely on do what they promise: answer, keep data, recover, and leave nothing behind."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pymysql
import pytest

from tests.servers import MariaServer, PostgresServer

Server = PostgresServer | MariaServer

START_AND_WAIT = """
import sys
from tests.servers import {kind}
server = {kind}()
server.start()
print(server.process.pid, server.folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=[PostgresServer, MariaServer])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server: Server = request.param()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def database(server: Server, database_names: Iterator[str]) -> Iterator[str]:
    name = next(database_names)
    yield server.admin.create_database(name)
    server.admin.drop_database(name)


def test_a_started_server_answers(server: Server, database: str) -> None:
    assert fetch(database, "select 1") == [(1,)]


def test_a_restart_keeps_the_data(server: Server, database: str) -> None:
    write(database, "create table kept (x int)", "insert into kept values (7)")
    server.restart()
    assert fetch(database, "select x from kept") == [(7,)]


def test_a_crash_keeps_what_was_committed_and_nothing_else(server: Server, database: str) -> None:
    write(database, "create table kept (x int)", "insert into kept values (7)")
    with contextlib.closing(connect(database)) as open_connection:
        open_connection.cursor().execute("insert into kept values (8)")
        server.crash()
    server.start()
    assert fetch(database, "select x from kept") == [(7,)]


def test_a_database_is_dropped_under_an_open_transaction(server: Server, database_names: Iterator[str]) -> None:
    name = next(database_names)
    url = server.admin.create_database(name)
    write(url, "create table held (x int)")
    with contextlib.closing(connect(url)) as open_connection:
        open_connection.cursor().execute("insert into held values (1)")
        server.admin.drop_database(name)
    with pytest.raises((psycopg.OperationalError, pymysql.OperationalError)):
        connect(url)


@pytest.mark.parametrize("kind", [PostgresServer, MariaServer])
def test_a_stopped_server_leaves_no_process_and_no_folder(kind: type[Server]) -> None:
    server = kind()
    server.start()
    assert server.process.pid is not None
    processes = family(server.process.pid)
    server.stop()
    assert [process for process in processes if process.is_running()] == []
    assert not server.folder.path.exists()


@pytest.mark.parametrize("kind", ["PostgresServer", "MariaServer"])
def test_a_killed_test_run_leaves_no_process_and_no_folder(kind: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT.format(kind=kind)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        keeper = psutil.Process(int(pid)).parent()
        assert keeper is not None
        processes = [keeper, *family(int(pid))]
        run.kill()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert not Path(folder).exists()


def test_each_test_gets_an_empty_database_of_its_own(any_url: str) -> None:
    if any_url.startswith("sqlite:"):
        assert not Path(any_url.removeprefix("sqlite:///")).exists()
    else:
        write(any_url, "create table mine (x int)")
        assert fetch(any_url, "select count(*) from mine") == [(0,)]


def test_mariadb_has_the_unfriendly_character_set_of_a_plain_installation(mysql_url: str) -> None:
    assert fetch(mysql_url, "select @@character_set_database") == [("latin1",)]


def family(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def write(url: str, *statements: str) -> None:
    with contextlib.closing(connect(url)) as connection:
        for statement in statements:
            connection.cursor().execute(statement)
        connection.commit()


def fetch(url: str, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())


def connect(url: str) -> psycopg.Connection | pymysql.Connection:
    parts = urlsplit(url)
    if parts.scheme == "postgresql":
        return psycopg.connect(url)
    return pymysql.connect(host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:])
