"""`job_connection`: handlers that work on the application's own sessions, SQLAlchemy's and Django's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import NullPool, create_engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.types import String

from sidework import App, ConfigurationError, Context, Retry
from sidework.errors import TransactionCommitted
from tests.conformance.kinds import configure_django
from tests.shared import SharedDatabases, empty
from tests.worker.helpers import DEADLINE

SYNC = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}
ASYNC = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy", "sqlite": "sqlite+aiosqlite"}


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    text: Mapped[str] = mapped_column(String(50), primary_key=True)


class Shop:
    """An App on sessions of SQLAlchemy, and what is stored."""

    def __init__(self, url: str, factory: Any, engine: Any) -> None:
        self.app = App(url, job_connection=factory)
        self.engine = engine
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
            connection.execute(delete(Note))

    @property
    def notes(self) -> list[str]:
        with Session(self.engine) as session:
            return sorted(session.scalars(select(Note.text)))


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    engine = create_engine(_with_scheme(url, SYNC), poolclass=NullPool)
    shop = Shop(url, sessionmaker(engine), engine)
    yield shop
    shop.app.close()


@pytest.fixture
def async_shop(url: str) -> Iterator[Shop]:
    engine = create_engine(_with_scheme(url, SYNC), poolclass=NullPool)
    shop = Shop(url, async_sessionmaker(create_async_engine(_with_scheme(url, ASYNC), poolclass=NullPool)), engine)
    yield shop
    shop.app.close()


def test_what_a_session_holds_back_is_stored_with_done(shop: Shop) -> None:
    @shop.app.task(name="child", queue="children")
    def child() -> None: ...

    @shop.app.task(delivery="transactional", retry=Retry(2, delays=[0]))
    def note(ctx: Context, text: str, fail: bool = False) -> None:
        assert isinstance(ctx.connection, Session)
        ctx.connection.add(Note(text=text))
        child.using(connection=ctx.connection).enqueue()
        if fail:
            raise RuntimeError(text)

    note.enqueue("kept")
    note.enqueue("lost", fail=True)
    acks = [shop.app.work_once(["default"]) for _ in range(3)]
    assert [ack and ack.job.state for ack in acks] == ["done", "waiting", "failed"]
    assert (shop.notes, shop.app.jobs.count(task="child")) == (["kept"], 1)


def test_many_sessions_at_once_do_not_get_in_each_others_way(shop: Shop) -> None:
    @shop.app.task(delivery="transactional", retry=None)
    def note(ctx: Context, text: str) -> None:
        ctx.connection.add(Note(text=text))

    texts = [f"{number:02}" for number in range(20)]
    jobs = [note.enqueue(text) for text in texts]
    worker = shop.app.worker(concurrency=10)
    worker.start()
    try:
        assert {job.state for job in shop.app.jobs.join(jobs, timeout=DEADLINE)} == {"done"}
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert shop.notes == texts


def test_an_error_of_the_last_flush_is_the_handlers_own(shop: Shop) -> None:
    @shop.app.task(delivery="transactional", retry=Retry(2, delays=[0], give_up_on=IntegrityError))
    def note(ctx: Context, text: str) -> None:
        ctx.connection.add(Note(text=text))

    note.enqueue("twice")
    note.enqueue("twice")
    acks = shop.app.drain()
    assert [ack.job.state for ack in acks] == ["done", "failed"]
    assert isinstance(acks[1].exception, IntegrityError)


def test_a_session_that_the_handler_commits_is_noticed(shop: Shop) -> None:
    @shop.app.task(delivery="transactional")
    def note(ctx: Context) -> None:
        ctx.connection.add(Note(text="kept"))
        ctx.connection.commit()
        ctx.connection.add(Note(text="lost"))

    note.enqueue()
    [ack] = shop.app.drain()
    assert isinstance(ack.exception, TransactionCommitted)
    assert (ack.job.state, shop.notes) == ("failed", ["kept"])


def test_async_sessions_serve_coroutine_handlers(async_shop: Shop) -> None:
    shop = async_shop

    @shop.app.task(delivery="transactional", retry=Retry(1))
    async def note(ctx: Context, text: str, fail: bool = False) -> None:
        ctx.connection.add(Note(text=text))
        if fail:
            raise RuntimeError(text)

    note.enqueue("kept")
    note.enqueue("lost", fail=True)
    note.enqueue("kept")
    acks = asyncio.run(shop.app.adrain())
    assert [ack.job.state for ack in acks] == ["done", "failed", "failed"]
    assert isinstance(acks[2].exception, IntegrityError)
    assert shop.notes == ["kept"]


def test_a_factory_of_the_wrong_kind_is_refused_clearly(shop: Shop, async_shop: Shop) -> None:
    @shop.app.task(delivery="transactional", retry=None)
    async def coroutine(ctx: Context) -> None:
        assert ctx.connection

    @async_shop.app.task(delivery="transactional", retry=None)
    def plain(ctx: Context) -> None:
        assert ctx.connection

    coroutine.enqueue()
    [ack] = shop.app.drain()
    assert isinstance(ack.exception, ConfigurationError)
    assert "declare the handler without `async`" in str(ack.exception)
    plain.enqueue()
    [ack] = async_shop.app.drain()
    assert isinstance(ack.exception, ConfigurationError)
    assert "declare the handler with `async def`" in str(ack.exception)


def test_a_factory_in_autocommit_is_refused(url: str) -> None:
    engine = create_engine(_with_scheme(url, SYNC), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with App(url, job_connection=engine.connect) as app:

        @app.task(delivery="transactional", retry=None)
        def handler(ctx: Context) -> None:
            assert ctx.connection

        handler.enqueue()
        [ack] = app.drain()
    assert isinstance(ack.exception, ConfigurationError)
    assert "in autocommit" in str(ack.exception)


# Django


class _Place:
    """What `configure_django` wants to know of a database."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.name = parts.path.removeprefix("/") if parts.scheme != "sqlite" else url.removeprefix("sqlite:///")
        self.account = {"user": parts.username, "host": parts.hostname or "", "port": parts.port or ""}


@pytest.fixture(params=["postgres", "sqlite"])
def django_app(request: pytest.FixtureRequest, shared_databases: SharedDatabases) -> Iterator[App]:
    url = shared_databases.urls[request.param]
    empty(url)
    place: Any = _Place(url)
    alias = configure_django(place)
    from django.db import connections

    with App(url, job_connection=alias) as app:
        with connections[alias].cursor() as cursor:
            cursor.execute("create table if not exists notes (text varchar(50) primary key)")
            cursor.execute("delete from notes")
        yield app
    connections[alias].close()
    del connections[alias]
    del connections.settings[alias]


def test_a_handler_on_a_django_alias_runs_inside_atomic(django_app: App) -> None:
    from django.db import connections, transaction

    alias, told = django_app.setup.job_connection, []

    @django_app.task(delivery="transactional", retry=None)
    def note(text: str, fail: bool = False) -> None:
        assert connections[alias].in_atomic_block
        with connections[alias].cursor() as cursor:
            cursor.execute("insert into notes values (%s)", [text])
        transaction.on_commit(lambda: told.append((text, _django_notes(alias))), using=alias)
        if fail:
            raise RuntimeError(text)

    note.enqueue("kept")
    note.enqueue("lost", fail=True)
    acks = django_app.drain()
    assert [ack.job.state for ack in acks] == ["done", "failed"]
    assert told == [("kept", ["kept"])]
    assert _django_notes(alias) == ["kept"]


def test_a_callback_that_raises_after_the_commit_is_told_and_undoes_nothing(
    django_app: App, caplog: pytest.LogCaptureFixture
) -> None:
    from django.db import connections, transaction

    alias = django_app.setup.job_connection

    @django_app.task(delivery="transactional")
    def note() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("insert into notes values ('kept')")
        transaction.on_commit(lambda: 1 // 0, using=alias)

    note.enqueue()
    [ack] = django_app.drain()
    assert (ack.job.state, _django_notes(alias)) == ("done", ["kept"])
    assert "after which came an error" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_djangos_connections_are_closed_around_jobs(django_app: App) -> None:
    from django.db import connections

    alias, used = django_app.setup.job_connection, []

    @django_app.task(delivery="transactional")
    def note(ctx: Context, text: str) -> None:
        assert ctx.connection is connections[alias]
        used.append((threading.current_thread(), ctx.connection))
        with ctx.connection.cursor() as cursor:
            cursor.execute("insert into notes values (%s)", [text])

    worker = django_app.worker(concurrency=1)
    worker.start()
    try:
        jobs = [note.enqueue(text) for text in "ab"]
        assert [job.state for job in django_app.jobs.join(jobs, timeout=DEADLINE)] == ["done", "done"]
    finally:
        worker.stop()
        worker.join(DEADLINE)
    assert all(thread is not threading.main_thread() for thread, _ in used)
    assert [connection.connection for _, connection in used] == [None, None]
    assert _django_notes(alias) == ["a", "b"]


def test_a_coroutine_handler_on_a_django_alias_is_refused(django_app: App) -> None:
    with pytest.raises(ConfigurationError, match="must be a plain function"):

        @django_app.task(delivery="transactional")
        async def note() -> None: ...


def _django_notes(alias: str) -> list[str]:
    from django.db import connections

    with connections[alias].cursor() as cursor:
        cursor.execute("select text from notes order by text")
        return [text for (text,) in cursor.fetchall()]


def _with_scheme(url: str, schemes: dict[str, str]) -> str:
    scheme, _, rest = url.partition("://")
    return f"{schemes[scheme]}://{rest}"
