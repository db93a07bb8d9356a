"""An App whose transactional handlers play scripts, and the table in which their effects are seen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sidework import Ack, App, Context, Retry
from sidework.events import Event, JobCancelled, JobDone, JobFailed, JobRetried, SettlementRefused
from sidework.worker.upkeep import rescue_operation
from tests.worker.helpers import DEADLINE

ENDS = (JobDone, JobFailed, JobRetried, JobCancelled, SettlementRefused)

SWALLOW = "insert again, swallowed"


class Till:
    """Two tasks, "plain" and "coroutine", that play the steps they are given on `ctx.connection`."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.database = app.setup.database.store.database
        self.calls: dict[str, Callable[[Context], Any]] = {}
        self._declare()
        self.execute("create table words (word varchar(50) primary key)")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Send one statement on a connection apart, in autocommit."""
        with self.aside() as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    @contextmanager
    def aside(self) -> Iterator[Any]:
        """A connection of ours, as it is."""
        owned = self.app.setup.database.backend.owned
        handle = owned.take()
        try:
            yield handle.raw
        finally:
            handle.close()

    @property
    def words(self) -> list[str]:
        """The effects that are committed."""
        return [row[0] for row in self.execute("select word from words order by word")]

    @property
    def children(self) -> int:
        """How many jobs the handlers have enqueued."""
        return self.app.jobs.count(task="child")

    def table(self, name: str) -> str:
        """One of Sidework's own tables."""
        return f"sidework.{name}" if self.database == "postgresql" else f"sidework_{name}"

    def play(self, kind: str, *steps: str, way: str = "work_once") -> Ack:
        """Enqueue one job of a kind, and run it once."""
        return self.run(self.app.enqueue(kind, args=[list(steps)]).id, way)

    def run(self, id: object, way: str = "work_once") -> Ack:
        """Run one job that is due, in one of the ways there are."""
        if way == "work_once":
            ack = self.app.work_once(["default"])
        elif way == "awork_once":
            ack = asyncio.run(self.app.awork_once(["default"]))
        else:
            ack = self._by_worker()
        assert ack is not None
        assert ack.job.id == id
        return ack

    def lose(self, context: Context) -> None:
        """Take the job away, as another worker does whose lease on it has lapsed."""
        self.execute(f"update {self.table('workers')} set lease_until = 1 where id = '{context.job.worker}'")
        rescued = self.app.setup.database.run(rescue_operation(self.app.setup))
        assert [entry.row.id for entry in rescued] == [context.job.id]

    def kill(self, context: Context) -> None:
        """End the handler's session from outside."""
        if self.database == "postgresql":
            self.execute(f"select pg_terminate_backend({context.connection.info.backend_pid})")
        else:
            self.execute(f"kill {context.connection.thread_id()}")

    def _by_worker(self) -> Ack:
        ended: list[Ack] = []
        over = threading.Event()

        def hear(event: Event) -> None:
            if isinstance(event, ENDS) and event.job.task in {"plain", "coroutine"} and not ended:
                ended.append(Ack(event.job, getattr(event, "exception", None)))
                over.set()

        self.app.subscribe(hear)
        worker = self.app.worker(["default"], concurrency=1)
        worker.start()
        try:
            assert over.wait(DEADLINE), "the job did not end"
        finally:
            worker.stop()
            worker.join(DEADLINE)
        return ended[0]

    def _declare(self) -> None:
        app = self.app

        @app.task(name="child", queue="children")
        def child() -> None: ...

        @app.task(name="plain", delivery="transactional", retry=Retry(2, delays=[0]))
        def plain(ctx: Context, steps: list[str]) -> object:
            return play(self, ctx, steps)

        @app.task(name="coroutine", delivery="transactional", retry=Retry(2, delays=[0]))
        async def coroutine(ctx: Context, steps: list[str]) -> object:
            return await aplay(self, ctx, steps)


def play(till: Till, ctx: Context, steps: list[str]) -> object:
    """The steps of a plain handler."""
    for step in steps:
        verb, _, rest = step.partition(" ")
        if step == SWALLOW:
            try:
                ctx.connection.cursor().execute("insert into words values ('taken')")
            except Exception as error:
                assert "taken" in str(error) or "UNIQUE" in str(error)  # noqa: PT017
        elif verb == "write":
            ctx.connection.cursor().execute(f"insert into words values ('{rest}')")
        elif verb == "sql":
            ctx.connection.cursor().execute(rest)
        elif verb == "enqueue":
            _task(till, "child").using(connection=ctx.connection).enqueue()
        elif verb == "again":
            _task(till, "plain").using(connection=ctx.connection).enqueue([f"write {rest}"])
        elif verb in {"commit", "rollback", "close"}:
            getattr(ctx.connection, verb)()
        elif verb == "call":
            till.calls[rest](ctx)
        else:
            return _end(step)
    return None


async def aplay(till: Till, ctx: Context, steps: list[str]) -> object:
    """The steps of a coroutine handler."""
    for step in steps:
        verb, _, rest = step.partition(" ")
        if step == SWALLOW:
            try:
                await _asend(ctx.connection, "insert into words values ('taken')")
            except Exception as error:
                assert "taken" in str(error) or "UNIQUE" in str(error)  # noqa: PT017
        elif verb == "write":
            await _asend(ctx.connection, f"insert into words values ('{rest}')")
        elif verb == "sql":
            await _asend(ctx.connection, rest)
        elif verb == "enqueue":
            await _task(till, "child").using(connection=ctx.connection).aenqueue()
        elif verb == "again":
            await _task(till, "coroutine").using(connection=ctx.connection).aenqueue([f"write {rest}"])
        elif verb in {"commit", "rollback", "close"}:
            own = {"close": "ensure_closed"} if till.database == "mysql" else {}
            await getattr(ctx.connection, own.get(verb, verb))()
        elif verb == "call":
            await asyncio.to_thread(till.calls[rest], ctx)
        else:
            return _end(step)
    return None


def _end(step: str) -> object:
    verb, _, rest = step.partition(" ")
    match verb:
        case "raise":
            raise RuntimeError(rest)
        case "exit":
            raise SystemExit(rest)
        case "return":
            return object() if rest == "object" else json.loads(rest)
    raise AssertionError(f"no step is called {step!r}")


async def _asend(connection: Any, sql: str) -> None:
    if hasattr(connection, "execute"):
        await connection.execute(sql)
        return
    async with connection.cursor() as cursor:
        await cursor.execute(sql)


def _task(till: Till, name: str) -> Any:
    return till.app.tasks[name]
