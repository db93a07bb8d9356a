"""What only MySQL and MariaDB do: gap locks, row counts, connection charsets, DDL that commits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from sidework.core.job import JobRow, JobState, NewJob
from sidework.core.ops import Rows, Statement
from sidework.core.store import JobFilter
from sidework.drivers.asyncmy import connect_asyncmy
from sidework.drivers.base import drive
from sidework.drivers.borrowed import Borrowed
from sidework.drivers.mysql_url import MySQLAddress, parse_mysql_url
from sidework.drivers.owned import AsyncOwned, Owned
from sidework.drivers.pymysql import PyMySQLHandle, connect_pymysql
from sidework.errors import DatabaseError, SchemaError, Unavailable
from sidework.stores.mysql import MySQLStore
from tests.conformance.builders import DEADLINE, T0, claim, done, due, ids, new_id, new_job, new_jobs, worker

TEXT = '[["é😀"],{}]'


class Database:
    """Tables on a database of their own, our connections to it, and callers' connections with settings of their own."""

    def __init__(self, url: str) -> None:
        self.address: MySQLAddress = parse_mysql_url(url)
        self.owned = Owned(lambda: connect_pymysql(self.address))
        self.store = MySQLStore("sidework")

    def prepare(self) -> None:
        self.owned.run(self.store.migrate)
        self.owned.run(lambda: self.store.beat(worker("w"), first=True, now=T0))

    def insert(self, *jobs: NewJob) -> list[JobRow]:
        return self.owned.run(lambda: self.store.insert_jobs(jobs, T0))

    def claim(self, limit: int = 10, **more: Any) -> list[JobRow]:
        return list(self.owned.run(lambda: self.store.claim_jobs(claim(limit, **more))).rows)

    def find(self) -> list[JobRow]:
        return self.owned.run(lambda: self.store.find_jobs(JobFilter(limit=None)))

    def connect(self, **settings: Any) -> pymysql.Connection[Any]:
        """A caller's connection, with a short patience for locks."""
        address = self.address
        facts: dict[str, Any] = {"host": address.host, "port": address.port, "user": address.user}
        connection = pymysql.connect(**{**facts, "database": address.database, "charset": "utf8mb4", **settings})
        with connection.cursor() as cursor:
            cursor.execute("set innodb_lock_wait_timeout = 3")
        return connection

    @contextmanager
    def caller(self, **settings: Any) -> Iterator[PyMySQLHandle]:
        with closing(self.connect(**settings)) as connection:
            yield PyMySQLHandle(connection)


@pytest.fixture
def bare_database(mysql_url: str) -> Iterator[Database]:
    database = Database(mysql_url)
    yield database
    database.owned.close()


@pytest.fixture
def database(bare_database: Database) -> Database:
    bare_database.prepare()
    return bare_database


# sessions


def test_our_sessions_set_what_they_rely_on(bare_database: Database) -> None:
    handle = connect_pymysql(bare_database.address)
    [row] = handle.execute(
        Statement(
            "select @@tx_isolation, @@sql_mode, @@time_zone, @@autocommit, @@character_set_connection, @@wait_timeout"
        )
    )
    handle.close()
    isolation, mode, zone, *rest = row
    assert (isolation, zone, *rest) == ("READ-COMMITTED", "+00:00", 1, "utf8mb4", 28800)
    assert "STRICT_ALL_TABLES" in mode


async def test_our_async_sessions_set_the_same(bare_database: Database) -> None:
    handle = await connect_asyncmy(bare_database.address)
    rows = await handle.execute(
        Statement("select @@tx_isolation, @@time_zone, @@autocommit, @@character_set_connection")
    )
    await handle.close()
    assert list(rows) == [("READ-COMMITTED", "+00:00", 1, "utf8mb4")]


async def test_our_connections_notice_a_machine_that_vanished(bare_database: Database) -> None:
    handle, ahandle = connect_pymysql(bare_database.address), await connect_asyncmy(bare_database.address)
    for sock in (handle.raw._sock, ahandle.raw._transport.get_extra_info("socket")):
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    handle.close()
    await ahandle.close()


def test_a_server_that_does_not_answer_is_named_in_one_sentence() -> None:
    with pytest.raises(Unavailable, match="Can't connect to MySQL server"):
        connect_pymysql(parse_mysql_url("mysql://ann:geheim@127.0.0.1:1/shop"))


def test_a_wrong_password_is_told_without_showing_it(mysql_url: str) -> None:
    address = parse_mysql_url(mysql_url.replace("root@", "nobody:geheim@"))
    with pytest.raises(DatabaseError, match="1045") as caught:
        connect_pymysql(address)
    assert "geheim" not in str(caught.value)


def test_an_idle_connection_that_the_server_has_closed_is_noticed(database: Database) -> None:
    handle = database.owned.take()
    [[number]] = handle.execute(Statement("select connection_id()"))
    database.owned.give(handle)
    with database.caller(autocommit=True) as caller:
        caller.execute(Statement(f"kill {int(number)}"))
    _wait_for(handle.is_closed)
    assert database.owned.take() is not handle


async def test_an_idle_async_connection_that_the_server_has_closed_is_replaced(database: Database) -> None:
    owned = AsyncOwned(lambda: connect_asyncmy(database.address))
    handle = await owned.take()
    [[number]] = await handle.execute(Statement("select connection_id()"))
    await owned.give(handle)
    with database.caller(autocommit=True) as caller:
        caller.execute(Statement(f"kill {int(number)}"))
    rows = await owned.run(lambda: database.store.insert_jobs([new_job()], T0))
    await owned.close()
    assert ids(database.find()) == ids(rows)


def test_the_clock_is_exact(database: Database) -> None:
    with database.caller() as caller:
        for moment in ("2026-11-21 19:20:00.999999", "1970-01-01 00:00:00.000001", "2200-02-28 23:59:59.123457"):
            text = f"timestampdiff(microsecond, '1970-01-01 00:00:00', '{moment}')"
            days = f"(to_days('{moment}') - 719528) * 86400 + time_to_sec('{moment}')"
            [[ours, micros, seconds]] = caller.execute(Statement(f"select {text}, microsecond('{moment}'), {days}"))
            assert ours == int(seconds) * 1_000_000 + int(micros)


def test_a_job_is_due_by_the_clock_of_the_server_in_utc(database: Database) -> None:
    with database.caller(autocommit=True) as caller:
        caller.execute(Statement("set time_zone = '-11:00'"))
        before = time.time_ns() // 1000
        (job,) = Borrowed(caller).run(lambda: database.store.insert_jobs([new_job()]))
        (row,) = Borrowed(caller).run(lambda: database.store.find_jobs(JobFilter(ids=(job.id,))))
    assert before - 1_000_000 < due(row) < time.time_ns() // 1000 + 1_000_000


# locks


def test_a_poller_of_an_empty_queue_in_repeatable_read_does_not_hold_up_a_producer(database: Database) -> None:
    with database.caller() as poller, database.caller() as producer:
        poller.begin()
        assert drive(database.store.claim_jobs(claim()), poller.execute).rows == ()
        producer.begin()
        drive(database.store.insert_jobs(new_jobs(3), T0), producer.execute)
        producer.commit()
        poller.rollback()
    assert len(database.find()) == 3


def test_a_caller_in_repeatable_read_who_gives_an_id_holds_up_nobody_else(database: Database) -> None:
    database.insert(new_job(), new_job(id=new_id()))
    with database.caller() as caller:
        caller.begin()
        drive(database.store.insert_jobs([new_job(id=new_id())], T0), caller.execute)
        rows = database.claim()
        assert database.owned.run(lambda: database.store.settle_jobs([done(row) for row in rows], T0)) == []
        database.insert(new_job(), new_job(id=new_id()))
        caller.commit()
    assert [row.state for row in database.find()].count(JobState.DONE) == 2


def test_a_caller_in_repeatable_read_gets_a_job_that_was_stored_after_its_snapshot(database: Database) -> None:
    job = new_job(id=new_id())
    with database.caller() as caller:
        caller.begin()
        assert drive(database.store.find_jobs(JobFilter()), caller.execute) == []
        (stored,) = database.insert(job)
        (again,) = Borrowed(caller).run(lambda: database.store.insert_jobs([job], T0 + 5))
        caller.commit()
    assert again == stored
    assert ids(database.find()) == [job.id]


@pytest.mark.parametrize("backlog", [1, 1000, 10_000])
@pytest.mark.parametrize("tasks", [("t",), ("t", "u", "v")], ids=["one lane", "three lanes"])
def test_a_claim_locks_what_it_claims_and_no_more(database: Database, tasks: tuple[str, ...], backlog: int) -> None:
    for task in tasks:
        database.insert(*new_jobs(backlog, task=task))
    with database.caller() as caller:
        caller.execute(Statement("set transaction isolation level read committed"))
        caller.begin()
        rows = drive(database.store.claim_jobs(claim(10, tasks=tasks)), caller.execute).rows
        locked = _rows_locked(database, caller.raw.thread_id())
        caller.rollback()
    assert len(rows) == min(10, backlog * len(tasks))
    # A record of the index and one of the table for each job.
    assert locked <= 2 * len(rows) + 1


def test_a_claim_beside_a_rival_locks_what_it_claims_and_no_more(database: Database) -> None:
    database.insert(*new_jobs(1000))
    with database.caller() as rival, database.caller() as caller:
        for handle in (rival, caller):
            handle.execute(Statement("set session transaction isolation level read committed"))
            handle.begin()
        theirs = drive(database.store.claim_jobs(claim(10)), rival.execute).rows
        ours = drive(database.store.claim_jobs(claim(10)), caller.execute).rows
        locked = _rows_locked(database, caller.raw.thread_id())
        caller.rollback()
        rival.rollback()
    assert len({*ids(theirs), *ids(ours)}) == 20
    # The server's number goes up by one for each row that is passed over, though no lock on it is held.
    assert locked <= 2 * len(ours) + len(theirs) + 1


@pytest.mark.parametrize("lanes", [1, 3, 40])
def test_a_claim_takes_few_statements(database: Database, lanes: int) -> None:
    database.insert(*(new_job(queue=f"q{number % lanes}") for number in range(120)))
    sent: list[str] = []
    handle = connect_pymysql(database.address)

    def execute(statement: Statement) -> Rows:
        sent.append(statement.sql)
        return handle.execute(statement)

    handle.begin()
    rows = drive(database.store.claim_jobs(claim(50)), execute).rows
    handle.commit()
    handle.close()
    assert len(rows) == 50
    assert len(sent) <= {1: 4, 3: 5, 40: 9}[lanes]


def test_lanes_are_found_without_reading_every_due_job(database: Database) -> None:
    database.insert(*new_jobs(2000), *new_jobs(2000, queue="other"))
    with database.caller() as caller:
        caller.execute(Statement("analyze table sidework_jobs"))
        caller.execute(Statement("flush status"))
        look = next(database.store.claim_jobs(claim()))
        caller.execute(look)
        rows = caller.execute(Statement("show session status like 'Handler_read_%'"))
    assert sum(int(count) for _, count in rows) < 100


# row counts, charsets, modes


@pytest.mark.parametrize("flag", [0, CLIENT.FOUND_ROWS], ids=["changed rows", "found rows"])
def test_a_fence_does_not_depend_on_how_rows_are_counted(database: Database, flag: int) -> None:
    database.insert(*new_jobs(2))
    first, second = database.claim()
    with database.caller(client_flag=flag) as caller:
        caller.begin()
        settlements = [done(first), done(second)]
        assert drive(database.store.settle_jobs(settlements, T0), caller.execute) == []
        caller.commit()
        caller.begin()
        assert drive(database.store.settle_jobs(settlements, T0), caller.execute) == [first.id, second.id]
        # The same beat twice changes no row, and is no loss all the same.
        for _ in range(2):
            assert not drive(database.store.beat(worker("w"), first=False, now=T0), caller.execute).was_lost
        caller.commit()


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "cp1251", "gbk"])
def test_text_passes_whatever_the_charset_of_the_callers_connection(database: Database, charset: str) -> None:
    job = new_job(id=new_id(), task="tâche.😀", payload=TEXT, tags=("é😀",))
    store = database.store
    with database.caller(charset=charset) as caller:
        run = Borrowed(caller).run
        (stored,) = run(lambda: store.insert_jobs([job], T0))
        (again,) = run(lambda: store.insert_jobs([job], T0))
        for where in (JobFilter(task=job.task), JobFilter(tag="é😀"), JobFilter(ids=(job.id,))):
            assert run(lambda where=where: store.find_jobs(where)) == [stored]  # type: ignore[misc]
        caller.commit()
    assert stored == again == database.find()[0]
    assert (stored.payload, stored.task, stored.tags) == (TEXT, job.task, '["é😀"]')


@pytest.mark.parametrize("mode", ["", "ANSI", "NO_BACKSLASH_ESCAPES", "ORACLE", "TRADITIONAL"])
def test_text_passes_whatever_the_sql_mode_of_the_callers_connection(database: Database, mode: str) -> None:
    job = new_job(payload='[["a\\\\b \\"c\\" \'d\' %s :e 100%\\n"],{}]')
    with database.caller(autocommit=True) as caller:
        caller.execute(Statement("set sql_mode = :mode", {"mode": mode}))
        (stored,) = Borrowed(caller).run(lambda: database.store.insert_jobs([job], T0))
    assert stored.payload == job.payload
    assert database.find() == [stored]


def test_names_compare_byte_for_byte(database: Database) -> None:
    names = ["a", "A", "á", "ae", "æ", "😀", "😁", "ß", "ss"]
    database.insert(*(new_job(task=name) for name in names))
    assert database.owned.run(database.store.list_task_names) == sorted(names, key=str.encode)
    assert [row.task for row in database.claim(tasks=["😁"])] == ["😁"]


def test_a_payload_beyond_64_kib_is_stored_whole(database: Database) -> None:
    payload = '[["' + "é" * 900_000 + '"],{}]'
    database.insert(new_job(payload=payload))
    assert database.claim()[0].payload == payload


# schema


def test_twenty_threads_migrate_at_once(bare_database: Database) -> None:
    barrier = threading.Barrier(20, timeout=DEADLINE)

    def migrate(_: int) -> int:
        barrier.wait()
        owned = Owned(lambda: connect_pymysql(bare_database.address))
        version = owned.run(bare_database.store.migrate)
        owned.close()
        return version

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(migrate, range(20))) == {len(bare_database.store.migrations)}
    bare_database.prepare()


def test_a_migration_that_was_killed_anywhere_goes_on(bare_database: Database) -> None:
    fresh = None
    for kill_at in range(100):
        handle = connect_pymysql(bare_database.address)
        was_killed = _migrate_until(bare_database, handle, kill_at)
        if was_killed:
            bare_database.owned.run(bare_database.store.migrate)
        tables = _tables(bare_database)
        fresh = fresh or tables
        assert tables == fresh, f"killed at statement {kill_at}"
        bare_database.prepare()
        bare_database.insert(new_job())
        assert len(bare_database.claim()) == 1
        bare_database.owned.run(bare_database.store.rollback)
        assert _tables(bare_database) == []
        if not was_killed:
            return
    pytest.fail("the migration never came to its end")


def test_a_migration_that_waits_too_long_says_what_to_do(database: Database) -> None:
    op = database.store.migrate()
    next(op)
    op.send([("10.11.19-MariaDB",)])
    with pytest.raises(SchemaError, match="another process has been changing the Sidework tables"):
        op.send([(0,)])


def test_a_server_that_is_too_old_is_refused_before_anything_is_made(database: Database) -> None:
    op = database.store.migrate()
    assert "version()" in next(op).sql
    with pytest.raises(SchemaError, match=r"MySQL 5\.7\.44 is too old"):
        op.send([("5.7.44",)])


def test_tables_are_innodb_whatever_the_servers_default(bare_database: Database) -> None:
    handle = connect_pymysql(bare_database.address)
    handle.execute(Statement("set default_storage_engine = MyISAM"))
    drive(bare_database.store.migrate(), handle.execute)
    rows = handle.execute(
        Statement("select engine, table_collation from information_schema.tables where table_schema = database()")
    )
    handle.close()
    assert set(rows) == {("InnoDB", "utf8mb4_bin"), (None, None)}


def test_the_overview_shows_jobs_to_people(database: Database) -> None:
    database.insert(new_job(task="tâche", payload=TEXT))
    with database.caller() as caller:
        [row] = caller.execute(Statement("select task, queue, state, run_at, payload from sidework_overview"))
    task, queue, state, run_at, payload = row
    assert (task, queue, state, payload) == ("tâche", "q", "waiting", TEXT)
    assert run_at.isoformat() == "2027-01-15T08:00:00"


def _migrate_until(database: Database, handle: PyMySQLHandle, kill_at: int) -> bool:
    """Drive a migration, and end its session before statement `kill_at`; False where it ended before."""
    op = database.store.migrate()
    try:
        statement = next(op)
        for _ in range(kill_at):
            statement = op.send(handle.execute(statement))
    except StopIteration:
        return False
    finally:
        op.close()
        handle.close()
    return True


def _tables(database: Database) -> list[tuple[Any, ...]]:
    with database.caller() as caller:
        rows = caller.execute(
            Statement(
                "select table_name, column_name, column_type, is_nullable from information_schema.columns"
                " where table_schema = database() order by table_name, ordinal_position"
            )
        )
        indexes = caller.execute(
            Statement(
                "select table_name, index_name, column_name from information_schema.statistics"
                " where table_schema = database() order by table_name, index_name, seq_in_index"
            )
        )
    return [tuple(row) for row in (*rows, *indexes)]


def _rows_locked(database: Database, session: int) -> int:
    # The server refreshes this table at most ten times a second, and only when it is asked again.
    found: list[int] = []
    statement = Statement(
        "select trx_rows_locked from information_schema.innodb_trx where trx_mysql_thread_id = :session",
        {"session": session},
    )
    with database.caller(autocommit=True) as caller:

        def is_there() -> bool:
            found.extend(int(row[0]) for row in caller.execute(statement))
            return bool(found)

        _wait_for(is_there)
    return found[-1]


def _wait_for(is_so: Any) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
