"""Applications with a handle of each supported library, as far as the tests of borrowed handles need them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy

from sidework.core.job import JobRow, NewJob
from sidework.core.store import Store
from sidework.drivers.recognize import aborrow, arecognize, borrow, recognize


@dataclass(frozen=True)
class Wish:
    """How an application opens its handle: `odd` sets what changes the rows and values that the library gives."""

    url: str
    autocommit: bool = False
    odd: bool = False

    @property
    def account(self) -> dict[str, Any]:
        """The parts of a server's URL as most MySQL libraries name them."""
        parts = urlsplit(self.url)
        return {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password or ""}

    @property
    def name(self) -> str:
        """The database's name, or its file's path."""
        return urlsplit(self.url).path[1:]

    def sqlalchemy(self, driver: str) -> sqlalchemy.URL:
        return sqlalchemy.make_url(self.url).set(drivername=driver)


class Caller:
    """What an application does with its handle between our enqueues; a DB-API connection, sync or async."""

    is_async = False

    def __init__(self, raw: Any, runner: asyncio.Runner, *also_closed: Any) -> None:
        self.raw = raw
        self._runner = runner
        self._also_closed = also_closed

    def run(self, result: Any) -> Any:
        """The result of a call, awaited where it has to be."""
        return self._runner.run(wait(result)) if inspect.isawaitable(result) else result

    def handle(self, database: str) -> Any:
        """Our adapter of the handle."""
        return arecognize(self.raw, database) if self.is_async else recognize(self.raw, database)

    def borrowed(self, database: str) -> Any:
        """What operations run on."""
        return aborrow(self.raw, database) if self.is_async else borrow(self.raw, database)

    def enqueue(self, store: Store, jobs: Iterable[NewJob]) -> list[JobRow]:
        rows: list[JobRow] = self.run(self.borrowed(store.database).run(lambda: store.insert_jobs(jobs)))
        return rows

    def begin(self) -> None:
        """Begin a transaction, where the library does not by itself."""

    def execute(self, sql: str) -> Any:
        """Run a statement of the application's own; the first row, where there is one."""
        cursor = self.run(self.raw.cursor())
        self.run(cursor.execute(sql))
        row = self.run(cursor.fetchone()) if cursor.description else None
        self.run(cursor.close())
        return row

    def commit(self) -> None:
        self.run(self.raw.commit())

    def rollback(self) -> None:
        self.run(self.raw.rollback())

    def savepoint(self) -> None:
        self.execute("savepoint of_the_caller")

    def rollback_to_savepoint(self) -> None:
        self.execute("rollback to savepoint of_the_caller")

    def close(self) -> None:
        self.run(self.raw.close())

    def clean_up(self) -> None:
        self.close()
        for thing in self._also_closed:
            self.run(thing())


class AsyncCaller(Caller):
    is_async = True


class MySQLCaller(Caller):
    def clean_up(self) -> None:
        if self.raw.open:
            self.close()


class AsyncMySQLCaller(AsyncCaller):
    def close(self) -> None:
        self.run(self.raw.ensure_closed())


class AsyncpgCaller(Caller):
    is_async = True
    _transactions: tuple[Any, ...] = ()

    def begin(self) -> None:
        self.savepoint()

    def execute(self, sql: str) -> Any:
        return self.run(self.raw.fetchrow(sql))

    def commit(self) -> None:
        self.run(self._transactions[0].commit())

    def rollback(self) -> None:
        self.run(self._transactions[0].rollback())

    def savepoint(self) -> None:
        transaction = self.raw.transaction()
        self.run(transaction.start())
        self._transactions += (transaction,)

    def rollback_to_savepoint(self) -> None:
        self.run(self._transactions[-1].rollback())


class AsyncpgPoolCaller(AsyncpgCaller):
    def close(self) -> None:
        [pool] = self._also_closed
        self.run(pool.release(self.raw))

    def clean_up(self) -> None:
        [pool] = self._also_closed
        self.close()
        self.run(pool.close())


class SqlalchemyCaller(Caller):
    """A Connection or a Session."""

    _nested: Any = None

    def execute(self, sql: str) -> Any:
        result = self.run(self.raw.execute(sqlalchemy.text(sql)))
        return result.one() if result.returns_rows else None

    def savepoint(self) -> None:
        self._nested = self.run(self.raw.begin_nested())

    def rollback_to_savepoint(self) -> None:
        self.run(self._nested.rollback())


class AsyncSqlalchemyCaller(SqlalchemyCaller):
    is_async = True

    def execute(self, sql: str) -> Any:
        options = {"stream_results": False, "yield_per": None}
        result = self.run(self.raw.execute(sqlalchemy.text(sql), execution_options=options))
        return result.one() if result.returns_rows else None


class DjangoCaller(Caller):
    _atomic: Any = None
    _savepoint = ""

    def begin(self) -> None:
        from django.db import transaction

        self._atomic = transaction.atomic(using=self.raw.alias)
        self._atomic.__enter__()

    def commit(self) -> None:
        self._atomic.__exit__(None, None, None)

    def rollback(self) -> None:
        self.raw.set_rollback(True)
        self._atomic.__exit__(None, None, None)

    def savepoint(self) -> None:
        self._savepoint = self.raw.savepoint()

    def rollback_to_savepoint(self) -> None:
        self.raw.savepoint_rollback(self._savepoint)


async def wait(result: Any) -> Any:
    """A coroutine of whatever can be awaited, which is what a runner takes."""
    return await result
