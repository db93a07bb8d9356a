"""Enqueuing on what an application holds: the job and the application's own row commit together, or not at all."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from sidework.connect import Backend, open_backend
from sidework.core.job import NewJob
from sidework.core.ops import Op, Rows, Statement
from sidework.core.store import JobFilter, Store
from sidework.errors import IdConflict, SchemaError, UnusableConnection
from tests.conformance.callers import Caller, Wish
from tests.conformance.kinds import KINDS, Kind

POSTGRES_KINDS = [kind for kind in KINDS if kind.database == "postgres"]
THREAD_BOUND_KINDS = [kind for kind in KINDS if kind.name.startswith(("sqlite3", "Django"))]
SQLALCHEMY_KINDS = [kind for kind in KINDS if "+" in kind.name and "scoped" not in kind.name]
TELLING_KINDS = [kind for kind in KINDS if kind.name.startswith("Django") or "ession" in kind.name]


@dataclass(frozen=True)
class Home:
    """A database with the tables of Sidework and one of the application's own, used through connections of ours."""

    url: str
    backend: Backend

    def ask(self, sql: str) -> Rows:
        return self.backend.owned.run(lambda: ask(sql))

    def make(self) -> None:
        self.backend.owned.run(self.backend.store.migrate)
        self.ask("create table orders (label varchar(20) primary key)")

    def empty(self) -> None:
        self.backend.owned.run(lambda: self.backend.store.delete_jobs(JobFilter(limit=None)))
        self.ask("delete from orders")

    def remove(self) -> None:
        self.backend.owned.run(self.backend.store.rollback)
        self.ask("drop table orders")
        self.backend.owned.close()


@dataclass(frozen=True)
class Shop:
    """An application, and what others see of what it stores."""

    home: Home
    store: Store
    open: Callable[..., Caller]

    @property
    def orders(self) -> list[str]:
        return [row[0] for row in self.home.ask("select label from orders order by label")]

    @property
    def jobs(self) -> list[uuid.UUID]:
        found = self.home.backend.owned.run(lambda: self.store.find_jobs(JobFilter(limit=None)))
        return sorted(row.id for row in found)


def ask(sql: str) -> Op[Rows]:
    return (yield Statement(sql, alone=True))


@pytest.fixture(scope="module")
def homes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Home]]:
    """A database of each kind with its tables, made when a test first asks and emptied after each."""
    made: dict[str, Home] = {}

    def home(database: str) -> Home:
        if database not in made:
            file = tmp_path_factory.mktemp("handles") / "sidework.db"
            url = f"sqlite:///{file}" if database == "sqlite" else request.getfixturevalue(f"shared_{database}")
            made[database] = Home(url, open_backend(url, "handles"))
            made[database].make()
        return made[database]

    yield home
    for each in made.values():
        each.remove()


@pytest.fixture
def shop(kind: Kind, homes: Callable[[str], Home], runner: asyncio.Runner) -> Iterator[Shop]:
    home = homes(kind.database)
    opened: list[Caller] = []

    def open_caller(**wishes: bool) -> Caller:
        opened.append(kind.open(Wish(home.url, **wishes), runner))
        return opened[-1]

    yield Shop(home, home.backend.store, open_caller)
    for caller in opened:
        caller.clean_up()
    home.empty()


def new_job(**changes: Any) -> NewJob:
    parts = {"id": uuid.uuid4(), "task": "mail.send", "queue": "default", "payload": '[[100,"50 %: ø"],{}]', **changes}
    return NewJob(**parts)


each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@each_kind
def test_a_job_commits_together_with_the_row_of_its_caller(shop: Shop) -> None:
    job = new_job()
    caller = shop.open()
    caller.begin()
    caller.execute("insert into orders values ('one')")
    [row] = caller.enqueue(shop.store, [job])
    assert (row.id, row.payload) == (job.id, job.payload)
    assert (shop.orders, shop.jobs) == ([], [])
    caller.commit()
    assert (shop.orders, shop.jobs) == (["one"], [job.id])


@each_kind
def test_a_job_that_comes_first_opens_the_transaction_of_its_caller(shop: Shop) -> None:
    job = new_job()
    caller = shop.open()
    caller.begin()
    caller.enqueue(shop.store, [job])
    caller.execute("insert into orders values ('one')")
    assert (shop.orders, shop.jobs) == ([], [])
    caller.commit()
    assert (shop.orders, shop.jobs) == (["one"], [job.id])


@each_kind
@pytest.mark.parametrize("job_comes_first", [True, False])
def test_a_rolled_back_enqueue_is_seen_by_nobody(shop: Shop, *, job_comes_first: bool) -> None:
    caller = shop.open()
    caller.begin()
    if not job_comes_first:
        caller.execute("insert into orders values ('one')")
    caller.enqueue(shop.store, [new_job()])
    caller.enqueue(shop.store, [new_job(given=True)])
    if job_comes_first:
        caller.execute("insert into orders values ('one')")
    caller.rollback()
    assert (shop.orders, shop.jobs) == ([], [])


@each_kind
def test_a_savepoint_takes_back_the_jobs_after_it_and_no_more(shop: Shop) -> None:
    kept, undone = new_job(), new_job()
    caller = shop.open()
    caller.begin()
    caller.execute("insert into orders values ('one')")
    caller.enqueue(shop.store, [kept])
    caller.savepoint()
    caller.execute("insert into orders values ('two')")
    caller.enqueue(shop.store, [undone])
    caller.rollback_to_savepoint()
    caller.execute("insert into orders values ('three')")
    caller.commit()
    assert (shop.orders, shop.jobs) == (["one", "three"], [kept.id])


@each_kind
def test_many_jobs_roll_back_with_their_caller(shop: Shop) -> None:
    caller = shop.open()
    caller.begin()
    rows = caller.enqueue(shop.store, (new_job() for _ in range(1001)))
    assert len(rows) == 1001
    caller.rollback()
    assert shop.jobs == []


@each_kind
def test_a_handle_in_autocommit_stores_the_job_at_once_and_stays_in_autocommit(shop: Shop) -> None:
    jobs = [new_job(given=True) for _ in range(2)]
    caller = shop.open(autocommit=True)
    caller.enqueue(shop.store, jobs)
    assert shop.jobs == sorted(job.id for job in jobs)
    caller.execute("insert into orders values ('one')")
    assert shop.orders == ["one"]


@each_kind
def test_a_failed_enqueue_in_autocommit_stores_nothing_and_leaves_the_handle_usable(shop: Shop) -> None:
    taken, again = new_job(given=True), new_job()
    caller = shop.open(autocommit=True)
    caller.enqueue(shop.store, [taken])
    conflict = new_job(id=taken.id, task="other.task", given=True)
    with pytest.raises(IdConflict, match=str(taken.id)):
        caller.enqueue(shop.store, [new_job(), new_job(given=True), conflict])
    assert shop.jobs == [taken.id]
    caller.enqueue(shop.store, [again])
    assert shop.jobs == sorted([taken.id, again.id])


@each_kind
def test_a_failed_enqueue_leaves_the_transaction_of_its_caller_usable(shop: Shop) -> None:
    taken = new_job(given=True)
    caller = shop.open()
    caller.begin()
    caller.enqueue(shop.store, [taken])
    conflict = new_job(id=taken.id, task="other.task", given=True)
    with pytest.raises(IdConflict, match=str(taken.id)):
        caller.enqueue(shop.store, [new_job(given=True), conflict])
    caller.execute("insert into orders values ('one')")
    caller.commit()
    assert (shop.orders, shop.jobs) == (["one"], [taken.id])


@each_kind
def test_settings_of_the_handle_neither_change_what_we_read_nor_are_changed_by_us(shop: Shop) -> None:
    job = new_job(given=True)
    caller = shop.open(odd=True)
    caller.begin()
    before = caller.execute("select 1 as one, 'two' as two")
    [row] = caller.enqueue(shop.store, [job])
    [same] = caller.enqueue(shop.store, [job])
    for each in (row, same):
        assert (each.id, each.task, each.queue, each.payload) == (job.id, job.task, job.queue, job.payload)
    assert same.run_at == same.enqueued_at
    after = caller.execute("select 1 as one, 'two' as two")
    assert (type(after), after) == (type(before), before)
    caller.commit()


@each_kind
def test_a_closed_handle_is_refused_before_anything_is_sent(shop: Shop, kind: Kind) -> None:
    caller = shop.open()
    caller.close()
    if reopens(kind):
        caller.begin()
        caller.enqueue(shop.store, [new_job()])
        caller.rollback()
    else:
        with pytest.raises(UnusableConnection, match="nothing was enqueued"):
            caller.enqueue(shop.store, [new_job()])
    assert shop.jobs == []


def reopens(kind: Kind) -> bool:
    """A session, or Django's connection, that was closed opens again at its next use."""
    return kind in TELLING_KINDS


@pytest.mark.parametrize("kind", POSTGRES_KINDS, ids=str)
def test_a_handle_whose_transaction_has_failed_is_refused(shop: Shop) -> None:
    caller = shop.open()
    caller.begin()
    with pytest.raises(Exception, match="nowhere"):
        caller.execute("insert into nowhere values (1)")
    with pytest.raises(UnusableConnection, match="nothing was enqueued"):
        caller.enqueue(shop.store, [new_job()])
    with pytest.raises(UnusableConnection, match="nothing was enqueued"):
        caller.enqueue(shop.store, (new_job(given=True) for _ in range(2)))
    caller.rollback()
    assert shop.jobs == []


@pytest.mark.parametrize("kind", THREAD_BOUND_KINDS, ids=str)
def test_a_handle_of_another_thread_is_refused(shop: Shop) -> None:
    caller = shop.open()
    caller.execute("select 1")
    raised: list[BaseException] = []

    def enqueue() -> None:
        try:
            caller.enqueue(shop.store, [new_job()])
        except UnusableConnection as error:
            raised.append(error)

    thread = threading.Thread(target=enqueue)
    thread.start()
    thread.join(10)
    assert [type(error) for error in raised] == [UnusableConnection]
    assert "thread" in str(raised[0])


@pytest.mark.parametrize("kind", TELLING_KINDS, ids=str)
def test_a_session_or_django_tells_when_the_jobs_are_committed(shop: Shop) -> None:
    told: list[int] = []
    caller = shop.open()
    borrowed = caller.borrowed(shop.store.database)
    caller.begin()
    for number in range(2):
        caller.enqueue(shop.store, [new_job()])
        assert borrowed.on_commit(partial(told.append, number))
    assert told == []
    caller.commit()
    assert told == [0, 1]
    caller.begin()
    caller.enqueue(shop.store, [new_job()])
    assert borrowed.on_commit(partial(told.append, 2))
    caller.rollback()
    caller.begin()
    caller.execute("insert into orders values ('one')")
    caller.commit()
    assert told == [0, 1]


@each_kind
def test_what_a_handle_in_autocommit_stored_is_told_at_once(shop: Shop) -> None:
    told: list[str] = []
    caller = shop.open(autocommit=True)
    caller.enqueue(shop.store, [new_job()])
    assert caller.borrowed(shop.store.database).on_commit(partial(told.append, "now"))
    assert told == ["now"]


@pytest.mark.parametrize("kind", SQLALCHEMY_KINDS, ids=str)
def test_an_enqueue_in_autocommit_leaves_no_transaction_of_sqlalchemy_behind(shop: Shop) -> None:
    caller = shop.open(autocommit=True)
    caller.enqueue(shop.store, [new_job()])
    assert not caller.raw.in_transaction()
    caller.execute("insert into orders values ('one')")
    assert caller.raw.in_transaction()
    caller.enqueue(shop.store, [new_job()])
    assert caller.raw.in_transaction()


@each_kind
def test_a_transaction_of_ours_is_shared_with_the_holder_of_the_handle(shop: Shop) -> None:
    caller = shop.open()
    handle = caller.handle(shop.store.database)
    for label, end in (("one", handle.commit), ("two", handle.rollback), ("three", handle.commit)):
        caller.run(handle.begin())
        assert not handle.is_autocommit() or handle.in_transaction()
        caller.execute(f"insert into orders values ('{label}')")
        caller.run(handle.execute(Statement(f"insert into orders values ('{label} of ours')")))
        assert label not in shop.orders
        caller.run(end())
    assert shop.orders == ["one", "one of ours", "three", "three of ours"]


@pytest.mark.parametrize("kind", POSTGRES_KINDS, ids=str)
def test_a_commit_that_the_server_turns_into_a_rollback_raises(shop: Shop) -> None:
    caller = shop.open()
    handle = caller.handle(shop.store.database)
    caller.run(handle.begin())
    caller.execute("insert into orders values ('one')")
    with pytest.raises(Exception, match="nowhere"):
        caller.execute("insert into nowhere values (1)")
    with pytest.raises(Exception, match=r"failed|aborted"):
        caller.run(handle.commit())
    caller.run(handle.rollback())
    assert shop.orders == []
    assert caller.execute("select 1") is not None


@each_kind
def test_missing_tables_are_named_with_the_command_that_makes_them(shop: Shop) -> None:
    absent = open_backend(shop.home.url, "absent").store
    caller = shop.open(autocommit=True)
    with pytest.raises(SchemaError, match="sidework migrate"):
        caller.enqueue(absent, [new_job()])
