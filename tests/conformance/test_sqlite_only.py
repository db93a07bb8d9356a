"""What holds on SQLite alone: its implicit transactions, its one writer, its files and its databases in memory."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosqlite
import pytest

from sidework.core.job import JobRow, JobState, to_micros
from sidework.core.ops import Op, Rows, Statement, T
from sidework.core.store import JobFilter
from sidework.drivers.aiosqlite import AsyncSqliteHandle, connect_aiosqlite
from sidework.drivers.base import drive
from sidework.drivers.borrowed import AsyncBorrowed, Borrowed
from sidework.drivers.owned import AsyncOwned, Owned
from sidework.drivers.sqlite3 import SqliteHandle, connect_sqlite, watch_sqlite
from sidework.drivers.sqlite_url import SqliteUrl, parse_sqlite_url
from sidework.errors import (
    ConfigurationError,
    DatabaseError,
    DataRefused,
    SchemaError,
    Transient,
    Unavailable,
    UnusableConnection,
)
from sidework.stores.sqlite import SQLiteStore
from sidework.stores.sqlite.store import NOW
from tests.conformance.builders import (
    DEADLINE,
    at_once,
    claim,
    done,
    enqueued,
    ids,
    lost,
    new_id,
    new_job,
    new_jobs,
    worker,
)

STORE = SQLiteStore("sidework")

BEGINNING: dict[str, dict[str, Any]] = {
    "default": {},
    "deferred": {"isolation_level": "DEFERRED"},
    "immediate": {"isolation_level": "IMMEDIATE"},
    "exclusive": {"isolation_level": "EXCLUSIVE"},
}
"""Connections that begin by themselves and wait for a commit."""

ALONE: dict[str, dict[str, Any]] = {"isolation_level=None": {"isolation_level": None}}
"""Connections that commit each statement."""

if sys.version_info >= (3, 12):
    BEGINNING["autocommit=False"] = {"autocommit": False}
    ALONE["autocommit=True"] = {"autocommit": True}


def _dictionary(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rows": {"row_factory": sqlite3.Row},
    "dictionaries": {"row_factory": _dictionary},
    "bytes": {"text_factory": bytes},
}

beginning = pytest.mark.parametrize("options", BEGINNING.values(), ids=BEGINNING.keys())
alone = pytest.mark.parametrize("options", ALONE.values(), ids=ALONE.keys())
with_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())


@pytest.fixture
def url(sqlite_url: str) -> SqliteUrl:
    return parse_sqlite_url(sqlite_url)


@pytest.fixture
def owned(url: SqliteUrl) -> Iterator[Owned]:
    """A pool on a file with our tables."""
    pool = Owned(lambda: connect_sqlite(url))
    pool.run(STORE.migrate)
    yield pool
    pool.close()


@pytest.fixture
def memory() -> Iterator[SqliteUrl]:
    """A database in memory with our tables."""
    url = parse_sqlite_url("sqlite://?timeout=5")
    with closing(Owned(lambda: connect_sqlite(url))) as pool:
        pool.run(STORE.migrate)
    yield url
    url.close()


def found(runner: Owned) -> list[JobRow]:
    return runner.run(lambda: STORE.find_jobs(JobFilter(limit=None)))


def insert(runner: Owned, number: int = 1, **more: Any) -> list[JobRow]:
    jobs = new_jobs(number, **more)
    return runner.run(lambda: STORE.insert_jobs(jobs))


def work_off(runner: Owned, limit: int) -> list[UUID]:
    """Claim and settle once."""
    rows = runner.run(lambda: STORE.claim_jobs(claim(limit, now=None))).rows
    assert runner.run(lambda: STORE.settle_jobs([done(row) for row in rows])) == []
    return ids(rows)


def borrow(url: SqliteUrl, options: dict[str, Any], settings: dict[str, Any]) -> sqlite3.Connection:
    """A connection as an application would make it."""
    connection: sqlite3.Connection = sqlite3.connect(url.target, **options)
    for name, value in settings.items():
        setattr(connection, name, value)
    return connection


# the caller's transaction


def test_sqlite3_commits_an_insert_that_starts_with_with(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "fact.db")) as connection:
        connection.execute("create table t (x)")
        connection.execute("with one as (select 1) insert into t select * from one")
        connection.rollback()
        connection.execute("insert into t values (2)")
        connection.rollback()
        assert connection.execute("select * from t").fetchall() == [(1,)]


def test_every_statement_that_writes_starts_with_its_verb() -> None:
    verbs = ("insert into", "update {p}", "delete from")
    texts = {
        entry.name: entry.read_text("utf-8") for entry in files("sidework.stores.sqlite").joinpath("sql").iterdir()
    }
    writing = {name: text for name, text in texts.items() if any(verb in text for verb in verbs)}
    assert len(writing) > 20
    for name, text in writing.items():
        first = next(line for line in text.splitlines() if not line.startswith("--"))
        assert first.startswith(verbs), name


@beginning
@with_settings
def test_what_is_enqueued_in_an_implicit_transaction_goes_with_its_rollback(
    owned: Owned, url: SqliteUrl, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    with closing(borrow(url, options, settings)) as connection:
        runner = Borrowed(SqliteHandle(connection))
        runner.run(lambda: STORE.insert_jobs(new_jobs(2)))
        assert connection.in_transaction
        assert found(owned) == []
        connection.rollback()
        assert found(owned) == []


@beginning
@with_settings
def test_what_is_enqueued_in_an_implicit_transaction_is_stored_by_its_commit(
    owned: Owned, url: SqliteUrl, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    job = new_job()
    with closing(borrow(url, options, settings)) as connection:
        runner = Borrowed(SqliteHandle(connection))
        [stored] = runner.run(lambda: STORE.insert_jobs([job]))
        [read] = runner.run(lambda: STORE.find_jobs(JobFilter()))
        assert read == stored
        assert found(owned) == []
        connection.commit()
    assert found(owned) == [stored]


@alone
@with_settings
def test_a_connection_that_commits_each_statement_gets_a_transaction_around_the_operation_only(
    owned: Owned, url: SqliteUrl, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    jobs = [new_job(id=new_id()), new_job(id=new_id())]
    with closing(borrow(url, options, settings)) as connection:
        stored = Borrowed(SqliteHandle(connection)).run(lambda: STORE.insert_jobs(jobs))
        assert not connection.in_transaction
        assert sorted(ids(found(owned))) == sorted(ids(stored))


@alone
def test_a_failed_operation_leaves_nothing_on_a_connection_that_commits_each_statement(
    owned: Owned, url: SqliteUrl, options: dict[str, Any]
) -> None:
    with closing(borrow(url, options, {})) as connection:
        jobs = [*new_jobs(1200), new_job(tags=("\ud800",))]
        with pytest.raises(UnicodeEncodeError):
            Borrowed(SqliteHandle(connection)).run(lambda: STORE.insert_jobs(jobs))
        assert not connection.in_transaction
    assert found(owned) == []


@beginning
def test_what_the_caller_did_before_stays_in_the_same_transaction(
    owned: Owned, url: SqliteUrl, options: dict[str, Any]
) -> None:
    with closing(borrow(url, options, {})) as connection:
        connection.execute("create table orders (id integer)")
        connection.commit()
        connection.execute("insert into orders values (1)")
        Borrowed(SqliteHandle(connection)).run(lambda: STORE.insert_jobs(new_jobs(1)))
        connection.rollback()
        assert connection.execute("select count(*) from orders").fetchone() == (0,)
    assert found(owned) == []


@beginning
def test_looking_opens_no_transaction_on_the_callers_connection(
    owned: Owned, url: SqliteUrl, options: dict[str, Any]
) -> None:
    insert(owned, 3)
    with closing(borrow(url, options, {})) as connection:
        before = connection.in_transaction
        assert len(Borrowed(SqliteHandle(connection)).run(lambda: STORE.find_jobs(JobFilter()))) == 3
        assert connection.in_transaction == before


@pytest.mark.parametrize("jobs", [lambda: new_jobs(2500), lambda: [new_job(id=new_id()) for _ in range(3)]])
def test_a_batch_with_a_savepoint_joins_a_transaction_that_only_the_verb_begins(
    owned: Owned, url: SqliteUrl, jobs: Callable[[], list[Any]]
) -> None:
    """As below SQLAlchemy and Django, where nobody but sqlite3 begins."""
    with closing(sqlite3.connect(url.target)) as connection:

        def execute(statement: Statement) -> Rows:
            return connection.execute(statement.sql, dict(statement.params)).fetchall()

        drive(STORE.insert_jobs(jobs()), execute)
        connection.rollback()
    assert found(owned) == []


def test_a_connection_of_another_thread_is_refused_before_anything_is_believed_enqueued(
    owned: Owned, url: SqliteUrl
) -> None:
    with closing(sqlite3.connect(url.target)) as connection:
        made: list[str] = []

        def make() -> Op[list[JobRow]]:
            made.append("made")
            return STORE.insert_jobs(new_jobs(1))

        with pytest.raises(UnusableConnection, match="same thread"):
            in_thread(lambda: Borrowed(SqliteHandle(connection)).run(make))
        assert made == []
    assert found(owned) == []


def test_a_closed_connection_is_refused(url: SqliteUrl) -> None:
    connection = sqlite3.connect(url.target)
    connection.close()
    handle = SqliteHandle(connection)
    assert handle.is_closed()
    with pytest.raises(UnusableConnection, match="closed database"):
        Borrowed(handle).run(lambda: STORE.insert_jobs(new_jobs(1)))


def test_missing_tables_are_named_with_the_command_to_run(url: SqliteUrl) -> None:
    with closing(sqlite3.connect(url.target)) as connection, pytest.raises(SchemaError, match="sidework migrate"):
        Borrowed(SqliteHandle(connection)).run(lambda: STORE.insert_jobs(new_jobs(1)))


# aiosqlite


@beginning
@with_settings
async def test_an_aiosqlite_transaction_takes_its_jobs_along(
    owned: Owned, url: SqliteUrl, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    async with aiosqlite.connect(url.target, **options) as connection:
        for name, value in settings.items():
            setattr(connection, name, value)
        runner = AsyncBorrowed(AsyncSqliteHandle(connection))
        await runner.run(lambda: STORE.insert_jobs([new_job(id=new_id()), new_job(id=new_id())]))
        await connection.rollback()
        assert found(owned) == []
        stored = await runner.run(lambda: STORE.insert_jobs(new_jobs(2)))
        assert found(owned) == []
        await connection.commit()
    assert sorted(ids(found(owned))) == sorted(ids(stored))


@alone
async def test_an_aiosqlite_connection_that_commits_each_statement_stores_at_once(
    owned: Owned, url: SqliteUrl, options: dict[str, Any]
) -> None:
    async with aiosqlite.connect(url.target, **options) as connection:
        await AsyncBorrowed(AsyncSqliteHandle(connection)).run(lambda: STORE.insert_jobs(new_jobs(2)))
        assert not connection.in_transaction
        assert len(found(owned)) == 2


@alone
async def test_an_aiosqlite_connection_never_stores_half_an_operation(
    owned: Owned, url: SqliteUrl, options: dict[str, Any]
) -> None:
    """With autocommit=True it says what to do instead."""
    jobs = [new_job(id=new_id()), new_job(id=new_id())]
    async with aiosqlite.connect(url.target, **options) as connection:
        runner = AsyncBorrowed(AsyncSqliteHandle(connection))
        if "autocommit" in options:
            with pytest.raises(UnusableConnection, match="execute BEGIN first"):
                await runner.run(lambda: STORE.insert_jobs(jobs))
            assert found(owned) == []
            await connection.execute("begin")
            await runner.run(lambda: STORE.insert_jobs(jobs))
            await connection.execute("commit")
        else:
            await runner.run(lambda: STORE.insert_jobs(jobs))
        assert sorted(ids(found(owned))) == sorted(ids(jobs))


async def test_a_closed_aiosqlite_connection_is_refused(url: SqliteUrl) -> None:
    connection = await aiosqlite.connect(url.target)
    await connection.close()
    with pytest.raises(UnusableConnection, match="closed"):
        await AsyncBorrowed(AsyncSqliteHandle(connection)).run(lambda: STORE.insert_jobs(new_jobs(1)))


async def test_our_aiosqlite_connection_does_not_keep_the_process_alive(url: SqliteUrl) -> None:
    before = set(threading.enumerate())
    handle = await connect_aiosqlite(url)
    [thread] = set(threading.enumerate()) - before
    assert thread.daemon
    await handle.close()


async def test_an_aiosqlite_connection_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    url = parse_sqlite_url(f"sqlite:///{tmp_path / 'missing' / 'jobs.db'}")
    with pytest.raises(ConfigurationError, match="does not exist"):
        await connect_aiosqlite(url)


# a handler's connection


def test_what_a_handler_does_after_a_commit_of_its_own_is_not_stored(owned: Owned) -> None:
    handle = owned.take()
    handle.raw.execute("create table orders (id integer)")
    handle.set_autocommit(False)
    handle.begin()
    handle.raw.execute("insert into orders values (1)")
    handle.raw.commit()
    handle.raw.execute("insert into orders values (2)")
    handle.set_autocommit(True)
    assert handle.execute(Statement("select id from orders")) == [(1,)]
    owned.give(handle)


async def test_nor_is_it_on_an_aiosqlite_connection(url: SqliteUrl) -> None:
    handle = await connect_aiosqlite(url)
    await handle.raw.execute("create table orders (id integer)")
    await handle.set_autocommit(False)
    await handle.begin()
    await handle.raw.execute("insert into orders values (1)")
    await handle.raw.commit()
    await handle.raw.execute("insert into orders values (2)")
    await handle.set_autocommit(True)
    assert await handle.execute(Statement("select id from orders")) == [(1,)]
    await handle.close()


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_the_marker_tells_how_a_handler_ended_its_transaction(owned: Owned, ending: str) -> None:
    handle = owned.take()
    handle.set_autocommit(False)
    handle.begin()
    marker = drive(STORE.open_sentinel("watch", new_id(), 7), handle.execute)
    handle.raw.execute(ending)
    with pytest.raises(sqlite3.OperationalError, match="no such savepoint"):
        drive(STORE.close_sentinel("watch", marker), handle.execute)
    handle.set_autocommit(True)
    owned.give(handle)
    assert owned.run(lambda: STORE.read_sentinel(marker)) is (ending == "commit")
    owned.run(lambda: STORE.prune_jobs({}, 10))
    assert not owned.run(lambda: STORE.read_sentinel(marker))


# one writer


def test_an_idle_claim_and_a_look_do_not_wait_for_the_writer(owned: Owned, url: SqliteUrl) -> None:
    owned.run(lambda: STORE.beat(worker(), first=True))
    insert(owned, 2, delay=3600)
    with closing(sqlite3.connect(url.target)) as writer:
        writer.execute("begin immediate")
        with closing(Owned(lambda: connect_sqlite(SqliteUrl(path=url.path, timeout=0)))) as impatient:
            claimed = impatient.run(lambda: STORE.claim_jobs(claim(now=None)))
            assert claimed.rows == ()
            assert claimed.next_due == pytest.approx(3600, abs=DEADLINE)
            assert len(found(impatient)) == 2
            assert impatient.run(lambda: STORE.rescue_jobs(lost, 10)) == []


def test_a_busy_file_is_a_conflict_and_another_try_succeeds(owned: Owned, url: SqliteUrl) -> None:
    with closing(sqlite3.connect(url.target)) as writer:
        writer.execute("begin immediate")
        tries: list[str] = []

        def make() -> Op[list[JobRow]]:
            tries.append("try")
            if len(tries) == 3:
                writer.commit()
            return STORE.insert_jobs([new_job(id=UUID(int=7))])

        with closing(Owned(lambda: connect_sqlite(SqliteUrl(path=url.path, timeout=0)))) as impatient:
            impatient.run(make)
    assert len(tries) == 3
    assert ids(found(owned)) == [UUID(int=7)]


def test_a_commit_that_finds_the_file_busy_is_a_conflict_and_leaves_nothing(memory: SqliteUrl) -> None:
    impatient = SqliteUrl(memory=memory.memory, timeout=0)
    with closing(connect_sqlite(impatient)) as reader, closing(Owned(lambda: connect_sqlite(impatient))) as pool:
        reader.raw.execute("begin")
        reader.raw.execute("select count(*) from sidework_jobs").fetchall()
        job = new_job(id=new_id())
        with pytest.raises(Transient, match="locked"):
            pool.run(lambda: STORE.insert_jobs([job]))
        handle = pool.take()
        assert not handle.in_transaction()
        pool.give(handle)
        reader.rollback()
        assert found(pool) == []
        assert ids(pool.run(lambda: STORE.insert_jobs([job]))) == [job.id]


def test_a_broken_savepoint_is_not_taken_for_missing_tables(url: SqliteUrl) -> None:
    with closing(connect_sqlite(url)) as handle:
        handle.begin()
        with pytest.raises(sqlite3.OperationalError) as raised:
            handle.execute(Statement("release savepoint nobody_made_it"))
        assert type(handle.translate(raised.value)) is DatabaseError


def test_a_watch_sees_what_others_commit_and_only_that(owned: Owned, url: SqliteUrl) -> None:
    with closing(watch_sqlite(url)) as watch:
        assert not watch.changed()
        insert(owned)
        assert watch.changed()
        assert not watch.changed()
        with closing(connect_sqlite(url)) as other:
            other.begin()
            other.execute(Statement("delete from sidework_jobs"))
            assert not watch.changed()
            other.rollback()
        assert not watch.changed()


def test_a_watch_sees_commits_in_memory(memory: SqliteUrl) -> None:
    with closing(watch_sqlite(memory)) as watch, closing(Owned(lambda: connect_sqlite(memory))) as pool:
        assert not watch.changed()
        insert(pool)
        assert watch.changed()


# files


def test_our_connections_are_durable(url: SqliteUrl) -> None:
    with closing(connect_sqlite(url)) as handle:
        settings = ("journal_mode", "synchronous", "busy_timeout")
        assert [handle.raw.execute(f"pragma {name}").fetchone()[0] for name in settings] == ["wal", 2, 10_000]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    url = parse_sqlite_url(f"sqlite:///{tmp_path / 'missing' / 'jobs.db'}")
    with pytest.raises(ConfigurationError, match=r"folder '.*missing' of the SQLite database 'jobs.db' does not exist"):
        Owned(lambda: connect_sqlite(url)).run(STORE.schema_version)


def test_a_folder_instead_of_a_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot open the SQLite database"):
        connect_sqlite(parse_sqlite_url(f"sqlite:///{tmp_path}"))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 1000)
    with pytest.raises(DatabaseError, match="file is not a database"):
        connect_sqlite(parse_sqlite_url(f"sqlite:///{tmp_path / 'letter.txt'}"))


def test_a_text_in_a_column_of_numbers_is_refused(owned: Owned) -> None:
    handle = owned.take()
    with pytest.raises(sqlite3.IntegrityError) as raised:
        handle.execute(Statement("insert into sidework_tokens (last) values ('high')"))
    assert isinstance(handle.translate(raised.value), DataRefused)
    owned.give(handle)


def test_many_processes_migrate_at_once(sqlite_url: str) -> None:
    arguments = [sys.executable, "-c", MIGRATE, sqlite_url]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(20)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=DEADLINE * 2) for process in processes]
    assert answers == [("1\n", "")] * 20


MIGRATE = """
import sys
from sidework.drivers.owned import Owned
from sidework.drivers.sqlite3 import connect_sqlite
from sidework.drivers.sqlite_url import parse_sqlite_url
from sidework.stores.sqlite import SQLiteStore

url = parse_sqlite_url(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
pool = Owned(lambda: connect_sqlite(url))
print(pool.run(SQLiteStore("sidework").migrate))
pool.close()
"""


def test_rollback_leaves_nothing(owned: Owned) -> None:
    insert(owned, 3)
    owned.run(STORE.rollback)
    handle = owned.take()
    # SQLite keeps the table of its own sequences, and nobody can drop it.
    assert handle.execute(Statement("select name from sqlite_master")) == [("sqlite_sequence",)]
    assert handle.execute(Statement("select * from sqlite_sequence")) == []
    owned.give(handle)


# in memory


def test_a_database_in_memory_is_shared_by_threads_and_coroutines(memory: SqliteUrl) -> None:
    pool = Owned(lambda: connect_sqlite(memory))
    pool.run(lambda: STORE.beat(worker(), first=True))
    taken: list[UUID] = []

    def produce(number: int) -> None:
        for _ in range(25):
            insert(pool)

    def work(number: int) -> None:
        deadline = threading.Event()
        timer = threading.Timer(DEADLINE, deadline.set)
        timer.start()
        while len(taken) < 125 and not deadline.is_set():
            taken.extend(work_off(pool, 7))
        timer.cancel()

    async def produce_async() -> None:
        runner = AsyncOwned(lambda: connect_aiosqlite(memory))
        await asyncio.gather(*(runner.run(lambda: STORE.insert_jobs(new_jobs(5))) for _ in range(5)))
        await runner.close()

    parts: list[Callable[[int], object]] = [*[produce] * 4, *[work] * 2, lambda _: asyncio.run(produce_async())]
    at_once(lambda part: part(0), parts)
    assert len(taken) == len(set(taken)) == 125
    assert {row.state for row in found(pool)} == {JobState.DONE}
    pool.close()


def test_a_database_in_memory_outlives_its_connections_until_it_is_closed(memory: SqliteUrl) -> None:
    with closing(Owned(lambda: connect_sqlite(memory))) as pool:
        insert(pool)
    with closing(Owned(lambda: connect_sqlite(memory))) as pool:
        assert len(found(pool)) == 1
    memory.close()
    with closing(Owned(lambda: connect_sqlite(memory))) as pool:
        assert pool.run(STORE.schema_version) == 0


def test_nobody_reads_in_memory_what_is_not_committed(memory: SqliteUrl) -> None:
    impatient = SqliteUrl(memory=memory.memory, timeout=0)
    with closing(connect_sqlite(memory)) as writer, closing(connect_sqlite(impatient)) as reader:
        writer.begin()
        drive(STORE.insert_jobs(new_jobs(1)), writer.execute)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            drive(STORE.find_jobs(JobFilter()), reader.execute)
        writer.rollback()
        assert drive(STORE.find_jobs(JobFilter()), reader.execute) == []


# sequences and the clock


def test_neither_places_nor_tokens_are_given_again(owned: Owned) -> None:
    owned.run(lambda: STORE.beat(worker(), first=True))
    seen: list[tuple[int, int]] = []
    for _ in range(3):
        insert(owned)
        handle = owned.take()
        [[seq]] = handle.execute(Statement("select seq from sidework_jobs"))
        owned.give(handle)
        work_off(owned, 1)
        [row] = owned.run(lambda: STORE.delete_jobs(JobFilter()))
        assert row.token is not None
        seen.append((seq, row.token))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_the_clock_is_exact_to_the_millisecond() -> None:
    text = NOW.replace("'now'", ":moment").replace(":now", "null")
    seed = random.Random(20)
    with closing(sqlite3.connect(":memory:")) as connection:
        for _ in range(5000):
            millis = seed.randrange(1_000_000_000_000, 9_000_000_000_000)
            moment = datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            rows = connection.execute(f"select {text}", {"moment": f"{moment}.{millis % 1000:03d}"}).fetchall()
            assert rows == [(millis * 1000,)]


def test_the_clock_is_the_systems(owned: Owned) -> None:
    before = to_micros(datetime.now(UTC)) // 1000 * 1000
    [row] = insert(owned)
    assert before <= enqueued(row) <= to_micros(datetime.now(UTC))


def test_the_overview_is_readable(owned: Owned) -> None:
    insert(owned, run_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    handle = owned.take()
    rows = handle.execute(Statement("select state, run_at, finished_at from sidework_overview"))
    owned.give(handle)
    assert rows == [("waiting", "2030-01-02 03:04:05", None)]


def in_thread(function: Callable[[], T]) -> T:
    [result] = at_once(lambda _: function(), [None])
    return result
