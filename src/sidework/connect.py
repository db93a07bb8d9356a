"""Putting it together: from a URL to a store and its connections, and from a caller's handle to a borrowed one."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

from sidework.core.job import to_micros
from sidework.core.ops import Op, T
from sidework.core.options import check_moment, check_schema
from sidework.core.store import Store
from sidework.drivers.base import AsyncOwnHandle
from sidework.drivers.borrowed import AsyncBorrowed, Borrowed
from sidework.drivers.owned import AsyncOwned, AsyncRunner, Owned, Threaded
from sidework.drivers.recognize import aborrow, borrow
from sidework.drivers.sources import Turns
from sidework.errors import ConfigurationError, MissingDriver, SchemaError

Clock = Callable[[], datetime] | None

Watch = Callable[[], AsyncIterator[None]]
"""Starts watching for other processes' commits: yields once when it is in force, and then at every hint of new jobs."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What a URL comes to: the store, our connections, and how a worker hears of other processes' jobs."""

    store: Store
    owned: Owned
    aowned: AsyncOwned
    worker_runner: AsyncRunner
    watch: Watch | None
    close: Callable[[], None] = lambda: None
    turns: Turns | None = None
    """Transactional jobs take turns in a process where the database has one writer."""


class Database:
    """One App's database: runs operations on our connections or the caller's. Connects at first use."""

    def __init__(self, url: str, *, schema: str, clock: Clock) -> None:
        self.url = url
        self.backend = open_backend(url, check_schema(schema))
        self.store = self.backend.store
        self._clock = clock
        self._is_checked = False

    def now(self) -> int | None:
        """The test clock's microseconds, or None where the database's clock rules."""
        return None if self._clock is None else to_micros(check_moment("the answer of clock()", self._clock()))

    def run(self, make: Callable[[], Op[T]]) -> T:
        """An operation on a connection of ours, committed."""
        if not self._is_checked:
            self.check_version(self.backend.owned.run(self.store.schema_version))
        return self.backend.owned.run(make)

    async def arun(self, make: Callable[[], Op[T]]) -> T:
        """The same from a coroutine."""
        if not self._is_checked:
            self.check_version(await self.backend.aowned.run(self.store.schema_version))
        return await self.backend.aowned.run(make)

    def borrow(self, connection: object) -> Borrowed:
        """The caller's sync handle, checked to be of this database."""
        borrowed = borrow(connection, self.store.database)
        if not self._is_checked:
            self.check_version(borrowed.run(self.store.schema_version))
        return borrowed

    async def aborrow(self, connection: object) -> AsyncBorrowed:
        """The caller's async handle, checked to be of this database."""
        borrowed = aborrow(connection, self.store.database)
        if not self._is_checked:
            self.check_version(await borrowed.run(self.store.schema_version))
        return borrowed

    def check_version(self, version: int) -> None:
        """Refuse tables that are missing or of another version than this release's."""
        newest = self.store.migrations[-1].version
        if version == newest:
            self._is_checked = True
            return
        if version == 0:
            raise SchemaError("the Sidework tables are missing; run `sidework migrate` (or app.migrate()) first")
        if version < newest:
            raise SchemaError(
                f"the Sidework tables have version {version}, this release needs {newest};"
                " run `sidework migrate` (or app.migrate())"
            )
        raise SchemaError(
            f"the Sidework tables have version {version}, newer than the {newest} of this release;"
            " run `pip install --upgrade sidework` here"
        )

    def forget_version(self) -> None:
        """Look again at the next use: the tables were migrated or removed."""
        self._is_checked = False

    def close(self) -> None:
        """Close our idle sync connections; a database in memory is gone then."""
        self.backend.owned.close()
        self.backend.close()

    async def aclose(self) -> None:
        """Close our idle connections, those of the running loop included."""
        await self.backend.aowned.close()
        self.close()


def open_backend(url: str, schema: str) -> Backend:
    """The backend of a URL; ConfigurationError for an unknown scheme, MissingDriver where a library is not installed."""
    text = str(url)
    opener = _OPENERS.get(text.partition("://")[0].partition("+")[0].lower()) if "://" in text else None
    if opener is None:
        raise ConfigurationError(
            "expected a database URL such as postgresql://host/db, mysql://host/db or sqlite:///jobs.db,"
            f" got {hide_password(text)!r}"
        )
    return opener(text, schema)


def hide_password(url: str) -> str:
    """The URL as it may be shown.

    >>> hide_password("postgresql://me:secret@localhost/shop")
    'postgresql://me:***@localhost/shop'
    """
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return "(a URL that cannot be read)"
    if password is None:
        return url
    account, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{account.partition(':')[0]}:***@{host}"))


def _postgres(url: str, schema: str) -> Backend:
    _need("psycopg", "postgres")
    driver = importlib.import_module("sidework.drivers.psycopg")
    store = importlib.import_module("sidework.stores.postgres").PostgresStore(schema)
    dsn = "postgresql://" + url.partition("://")[2]
    aowned = AsyncOwned(lambda: driver.aconnect_psycopg(dsn))
    return Backend(
        store=store,
        owned=Owned(lambda: driver.connect_psycopg(dsn)),
        aowned=aowned,
        worker_runner=aowned,
        watch=lambda: driver.listen(dsn, store.channel),
    )


def _mysql(url: str, schema: str) -> Backend:
    _need("pymysql", "mysql")
    driver = importlib.import_module("sidework.drivers.pymysql")
    store = importlib.import_module("sidework.stores.mysql").MySQLStore(schema)
    address = importlib.import_module("sidework.drivers.mysql_url").parse_mysql_url(url)
    owned = Owned(lambda: driver.connect_pymysql(address))

    async def aconnect() -> AsyncOwnHandle:
        _need("asyncmy", "mysql")
        return await importlib.import_module("sidework.drivers.asyncmy").connect_asyncmy(address)  # type: ignore[no-any-return]

    return Backend(store=store, owned=owned, aowned=AsyncOwned(aconnect), worker_runner=Threaded(owned), watch=None)


def _sqlite(url: str, schema: str) -> Backend:
    driver = importlib.import_module("sidework.drivers.sqlite3")
    store = importlib.import_module("sidework.stores.sqlite").SQLiteStore(schema)
    target = importlib.import_module("sidework.drivers.sqlite_url").parse_sqlite_url(url)
    owned = Owned(lambda: driver.connect_sqlite(target))

    async def aconnect() -> AsyncOwnHandle:
        _need("aiosqlite", "aiosqlite")
        return await importlib.import_module("sidework.drivers.aiosqlite").connect_aiosqlite(target)  # type: ignore[no-any-return]

    return Backend(
        store=store,
        owned=owned,
        aowned=AsyncOwned(aconnect),
        worker_runner=Threaded(owned),
        watch=None if target.memory else lambda: driver.watch(target),
        close=target.close,
        turns=Turns(),
    )


def _need(library: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise MissingDriver(
            f'this URL needs the library {library}, which is not installed here: pip install "sidework[{extra}]"'
        ) from error


_OPENERS: dict[str, Callable[[str, str], Backend]] = {
    "postgresql": _postgres,
    "postgres": _postgres,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlite": _sqlite,
}
