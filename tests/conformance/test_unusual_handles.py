"""Handles in the states and with the settings that their libraries allow but few applications meet."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import event, orm

from sidework.connect import Backend, open_backend
from sidework.core.job import NewJob
from sidework.core.ops import Op, Statement
from sidework.core.store import JobFilter
from sidework.drivers.recognize import borrow
from sidework.errors import UnusableConnection
from tests.conformance.callers import Wish
from tests.conformance.kinds import configure_django, open_django


class Base(orm.DeclarativeBase):
    """The application's tables."""


class Order(Base):
    __tablename__ = "orders"

    label: orm.Mapped[str] = orm.mapped_column(primary_key=True)


@pytest.fixture
def backend(sqlite_url: str) -> Iterator[Backend]:
    backend = open_backend(sqlite_url, "sidework")
    backend.owned.run(backend.store.migrate)
    yield backend
    backend.owned.close()


@pytest.fixture
def engine(backend: Backend, sqlite_url: str) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(sqlite_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def enqueue(backend: Backend, handle: object) -> None:
    job = NewJob(id=uuid.uuid4(), task="mail.send", queue="default", payload="[[],{}]")
    borrow(handle, "sqlite").run(lambda: backend.store.insert_jobs([job]))


def count(backend: Backend) -> int:
    return len(backend.owned.run(lambda: backend.store.find_jobs(JobFilter(limit=None))))


def test_what_a_session_has_not_flushed_commits_with_the_job(backend: Backend, engine: sqlalchemy.Engine) -> None:
    with orm.Session(engine) as session:
        session.add(Order(label="one"))
        enqueue(backend, session)
        session.commit()
        assert (session.get(Order, "one") is not None, count(backend)) == (True, 1)


def test_a_job_is_gone_when_the_flush_of_its_session_fails(backend: Backend, engine: sqlalchemy.Engine) -> None:
    with orm.Session(engine) as session:
        session.add(Order(label="one"))
        session.commit()
    with orm.Session(engine) as session:
        session.add(Order(label="one"))
        enqueue(backend, session)
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.commit()
    assert count(backend) == 0


@pytest.mark.parametrize(
    "statement", ["savepoint s", "with n as (select 'one' as label) insert into orders select * from n"]
)
def test_a_statement_that_sqlite3_commits_at_once_is_rolled_back(
    backend: Backend, engine: sqlalchemy.Engine, django: Any, statement: str
) -> None:
    django.set_autocommit(False)
    with engine.connect() as connection, orm.Session(engine) as session:
        for handle in (connection, session, django):
            borrow(handle, "sqlite").run(lambda: send(statement, "insert into orders values ('two')"))
            if statement.startswith("savepoint"):
                borrow(handle, "sqlite").run(lambda: send("release s"))
            handle.rollback()
            with engine.connect() as other:
                assert other.execute(sqlalchemy.select(Order.label)).all() == []


def send(*statements: str) -> Op[None]:
    for statement in statements:
        yield Statement(statement)


def test_a_session_tells_of_a_commit_when_the_outermost_transaction_ends(
    backend: Backend, engine: sqlalchemy.Engine
) -> None:
    told: list[int] = []
    with orm.Session(engine) as session:
        with session.begin():
            with session.begin_nested():
                enqueue(backend, session)
                assert borrow(session, "sqlite").on_commit(lambda: told.append(count(backend)))
            assert told == []
        assert told == [1]


def test_a_session_that_must_roll_back_first_is_refused(backend: Backend, engine: sqlalchemy.Engine) -> None:
    with orm.Session(engine) as session:
        session.add(Order(label="one"))
        session.flush()
        session.expunge_all()
        session.add(Order(label="one"))
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.flush()
        with pytest.raises(UnusableConnection, match=r"call rollback\(\) first"):
            enqueue(backend, session)


def test_a_session_without_autobegin_is_refused_outside_a_transaction(
    backend: Backend, engine: sqlalchemy.Engine
) -> None:
    with orm.Session(engine, autobegin=False) as session:
        with pytest.raises(UnusableConnection, match=r"call begin\(\) first"):
            enqueue(backend, session)
        with session.begin():
            enqueue(backend, session)
    assert count(backend) == 1


def test_a_connection_in_a_block_whose_transaction_has_ended_is_refused(
    backend: Backend, engine: sqlalchemy.Engine
) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        transaction.rollback()
        with pytest.raises(sqlalchemy.exc.InvalidRequestError):
            enqueue(backend, connection)
    with engine.connect() as connection:
        connection.invalidate()
        with pytest.raises(UnusableConnection, match="lost its database connection"):
            enqueue(backend, connection)
    assert count(backend) == 0


def test_a_session_whose_connection_alone_is_in_autocommit_is_refused(
    backend: Backend, engine: sqlalchemy.Engine
) -> None:
    with orm.Session(engine) as session:
        connection = session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        with pytest.raises(UnusableConnection, match=r"session\.connection\(\)"):
            enqueue(backend, session)
        enqueue(backend, connection)
    assert count(backend) == 1


def test_an_engine_that_begins_by_events_keeps_doing_so(backend: Backend, engine: sqlalchemy.Engine) -> None:
    @event.listens_for(engine, "connect")
    def leave_beginning_to_us(dbapi: Any, _: Any) -> None:
        dbapi.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    engine.dispose()
    with engine.connect() as connection:
        enqueue(backend, connection)
        connection.rollback()
        assert count(backend) == 0
        enqueue(backend, connection)
        connection.commit()
    assert count(backend) == 1


@pytest.fixture
def django(backend: Backend, sqlite_url: str, runner: asyncio.Runner) -> Iterator[Any]:
    caller = open_django(Wish(sqlite_url), runner)
    yield caller.raw
    caller.clean_up()


def test_an_atomic_block_of_django_that_has_failed_is_refused(backend: Backend, django: Any) -> None:
    from django.db import transaction

    with transaction.atomic(using=django.alias):
        transaction.set_rollback(True, using=django.alias)
        with pytest.raises(UnusableConnection, match="leave the block first"):
            enqueue(backend, django)
    enqueue(backend, django.alias)
    assert count(backend) == 1


def test_django_without_autocommit_commits_when_the_application_does(backend: Backend, django: Any) -> None:
    django.set_autocommit(False)
    enqueue(backend, django)
    django.rollback()
    assert count(backend) == 0
    enqueue(backend, django)
    assert not borrow(django, "sqlite").on_commit(lambda: None)
    django.commit()
    assert count(backend) == 1


def test_django_tells_of_a_commit_once_the_outermost_block_ends(backend: Backend, django: Any) -> None:
    from django.db import transaction

    told: list[int] = []
    with transaction.atomic(using=django.alias):
        with transaction.atomic(using=django.alias):
            enqueue(backend, django)
            borrow(django, "sqlite").on_commit(lambda: told.append(count(backend)))
        assert told == []
    assert told == [1]


def test_an_alias_counts_once_django_knows_it(backend: Backend, sqlite_url: str) -> None:
    alias = configure_django(Wish(sqlite_url))
    enqueue(backend, alias)
    assert count(backend) == 1
    with pytest.raises(TypeError, match="Django is configured with it"):
        enqueue(backend, f"{alias}_too")
    from django.db import connections

    connections[alias].close()
    del connections[alias]
    del connections.settings[alias]
