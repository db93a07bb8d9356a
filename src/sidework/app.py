"""The App: what an application holds. It registers tasks, makes jobs, and opens the managers and workers."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Concatenate, Self, TypeVar, Unpack, overload

from sidework.connect import Clock, Database
from sidework.core.codec import Codec, JsonCodec
from sidework.core.context import Context
from sidework.core.job import Delivery, Job, NewJob
from sidework.core.options import (
    QueueChoice,
    Retention,
    WorkerOptions,
    check_count,
    check_duration,
    queue_lanes,
    queue_order,
)
from sidework.core.registry import OnFailure, Registry, TaskSpec
from sidework.errors import ConfigurationError, Seconds
from sidework.events import Events, Subscriber
from sidework.managers.base import Desk
from sidework.managers.jobs import Jobs
from sidework.managers.queues import Queues
from sidework.managers.schema import Schema
from sidework.managers.tasks import Tasks
from sidework.managers.workers import Workers
from sidework.sending import Outbox
from sidework.task import (
    Declared,
    P,
    R,
    SendOptions,
    Task,
    TaskDecorator,
    TaskSet,
    Using,
    check_using,
    decorate,
    main_module,
    task_options,
)
from sidework.worker.once import Ack, Once
from sidework.worker.setup import Hooks, Lifespan, Middleware, Setup
from sidework.worker.wakes import Wakes
from sidework.worker.worker import Worker

F = TypeVar("F")

DEFAULT_URL = "sqlite:///sidework.db"


class App:
    """One application's tasks and its database.

    `url`: postgresql://, mysql://, mariadb:// or sqlite:///file.db, sqlite:// for memory; without it $SIDEWORK_URL, then
    $DATABASE_URL, then sqlite:///sidework.db with a warning. `schema`: the PostgreSQL schema, the table prefix elsewhere.
    `imports`: modules that a worker imports to know their tasks. `codec`: arguments to text and back. `lifespan`: a
    context manager that a worker enters once; what it yields is `ctx.state`. `job_connection`: a factory of the handle
    that transactional jobs get (a sessionmaker, an async one, or a Django alias). `clock`: for tests, a function that
    answers an aware datetime. Nothing connects before the first use.

    >>> app = App("sqlite://")
    >>> _ = app.migrate()
    >>> @app.task
    ... def add(x: int, y: int) -> int:
    ...     return x + y
    >>> job = add.enqueue(3, 4)
    >>> app.work_once().job.result
    7
    """

    def __init__(  # noqa: PLR0913 - the public contract; every one of them has a default
        self,
        url: str | None = None,
        *,
        schema: str = "sidework",
        imports: Iterable[str] = (),
        codec: Codec | None = None,
        lifespan: Lifespan | None = None,
        job_connection: Any = None,
        clock: Clock = None,
    ) -> None:
        self.events = Events()
        registry, wakes = Registry(), Wakes()
        database = Database(_url(url), schema=schema, clock=clock)
        self._hooks = Hooks(lifespan=lifespan)
        chosen = codec or JsonCodec()
        modules = (imports,) if isinstance(imports, str) else tuple(imports)
        self.setup = Setup(
            database, registry, chosen, self.events, wakes, self._hooks, job_connection, modules, caller_module()
        )
        self._outbox = Outbox(database, registry, chosen, self.events, wakes)
        self._schema = Schema(database)
        desk = Desk(database, registry, chosen, self.events, wakes)
        self.tasks = Tasks(registry)
        self.jobs = Jobs(desk)
        self.queues = Queues(desk)
        self.workers = Workers(desk)

    # tasks

    @overload
    def task(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, Concatenate[Context, P], R]: ...

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, P, R]: ...

    @overload
    def task(self, /, **options: Unpack[Declared]) -> TaskDecorator: ...

    def task(self, function: Callable[..., Any] | None = None, /, **options: Unpack[Declared]) -> Any:
        """Declare a task, as `@app.task` or `@app.task(...)`; the function stays callable.

        `name` (default: module and qualified name), `queue`, `priority` (higher first), `retry` (Retry, a function of job
        and exception, or None), `max_crashes` of the worker, `timeout` (seconds or timedelta), `delivery`
        ("at_least_once", "transactional", "at_most_once"), `executor` ("process" on request), `on_failure(job, exception)`,
        `store_result`.
        """
        return decorate(self._add_task, function, task_options(options))

    def include(self, tasks: TaskSet) -> None:
        """Register the tasks of a TaskSet, those that it declares later included."""
        tasks.follow(self._add_task)

    def middleware(self, function: Middleware) -> Middleware:
        """Wrap every attempt in a generator with one yield, given the Context; the handler's exception is thrown in there."""
        self._hooks.middleware.append(check_hook("middleware", function))
        return function

    @property
    def on_failure(self) -> Callable[[OnFailure], OnFailure]:
        """Call `function(job, exception)` when a job has failed for good, in the worker that decided so.

        As a decorator, `@app.on_failure`, or assigned, `app.on_failure = function`.
        """
        return self._set_on_failure

    @on_failure.setter
    def on_failure(self, function: OnFailure) -> None:
        self._set_on_failure(function)

    def subscribe(self, subscriber: Subscriber) -> Subscriber:
        """Give every event of `sidework.events` to a function."""
        return self.events.subscribe(check_hook("subscribe", subscriber))

    # enqueuing

    def enqueue(
        self,
        task: str | Task[..., ..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[Using],
    ) -> Job:
        """Store a job by its task's name, which need not be registered here; the options are those of `Task.using`."""
        job, connection = self._named(task, args, kwargs, options)
        return self._outbox.send(job, connection)

    async def aenqueue(
        self,
        task: str | Task[..., ..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[Using],
    ) -> Job:
        """The same from a coroutine."""
        job, connection = self._named(task, args, kwargs, options)
        return await self._outbox.asend(job, connection)

    def enqueue_many(self, jobs: Iterable[NewJob], *, connection: object = None) -> list[Job]:
        """Store the jobs that `task.job(...)` made, in order, all or none; an iterator is read in chunks."""
        return self._outbox.send_many(jobs, connection)

    async def aenqueue_many(self, jobs: Iterable[NewJob], *, connection: object = None) -> list[Job]:
        """The same from a coroutine."""
        return await self._outbox.asend_many(jobs, connection)

    # running

    def work_once(self, queues: Iterable[str] | None = None) -> Ack | None:
        """Run one due job in this thread: an Ack of the job and its exception, or None when nothing is due.

        `queues` is a strict order; None is every queue, by priority, due time and order of enqueuing.
        """
        acks = self.drain(queues, limit=1)
        return acks[0] if acks else None

    async def awork_once(self, queues: Iterable[str] | None = None) -> Ack | None:
        """The same from a coroutine: async handlers run on this loop, plain ones in a thread."""
        acks = await self.adrain(queues, limit=1)
        return acks[0] if acks else None

    def drain(self, queues: Iterable[str] | None = None, *, limit: int | None = None) -> list[Ack]:
        """Run jobs one after the other in this thread until none is due, or `limit` have run."""
        return Once(self.setup, queue_order(queues)).drain(limit)

    async def adrain(self, queues: Iterable[str] | None = None, *, limit: int | None = None) -> list[Ack]:
        """The same from a coroutine."""
        return await Once(self.setup, queue_order(queues)).adrain(limit)

    def worker(
        self,
        queues: QueueChoice = None,
        *,
        concurrency: int = 10,
        poll_interval: Seconds = 5.0,
        shutdown_timeout: Seconds = 30.0,
        lease: Seconds = 30.0,
        retention: Retention | None = None,
    ) -> Worker:
        """A worker of this process: `run()`, `await arun()`, or `start()`/`stop()`/`join()` in the background.

        `queues`: None for every queue, a list for a strict order, a dict for a concurrency of each. `concurrency`: jobs at
        a time. `lease`: seconds after which the jobs of a silent worker run elsewhere. `retention`: how long finished
        jobs are kept.
        """
        lanes = queue_lanes(queues, check_count("concurrency", concurrency, most=10_000))
        options = WorkerOptions(
            lanes=lanes,
            concurrency=sum(lane.concurrency for lane in lanes),
            poll_interval=check_duration("poll_interval", poll_interval, least=0.01),
            shutdown_timeout=check_duration("shutdown_timeout", shutdown_timeout),
            lease=check_duration("lease", lease, least=1.0),
            retention=retention or Retention(),
        )
        return Worker(self.setup, options)

    # the tables

    def migrate(self) -> int:
        """Create the tables or bring them to this release's version, and return it; safe to repeat, and from many processes."""
        return self._schema.migrate()

    async def amigrate(self) -> int:
        """The same from a coroutine."""
        return await self._schema.amigrate()

    def rollback(self) -> None:
        """Remove the tables with every job in them."""
        self._schema.rollback()

    async def arollback(self) -> None:
        """The same from a coroutine."""
        await self._schema.arollback()

    def schema_version(self) -> int:
        """The version of the tables that are there; 0 when none."""
        return self._schema.version()

    async def aschema_version(self) -> int:
        """The same from a coroutine."""
        return await self._schema.aversion()

    def migration_sql(self) -> str:
        """The SQL that `migrate` runs on an empty database, for a migration tool of the application's."""
        return self._schema.sql()

    def migration_plan(self) -> list[str]:
        """The migrations that `migrate` would run now, by number and name; empty when there is nothing to do."""
        return self._schema.plan()

    async def amigration_plan(self) -> list[str]:
        """The same from a coroutine."""
        return await self._schema.aplan()

    # closing

    def close(self) -> None:
        """Close idle connections; the App can still be used, and opens new ones."""
        self.setup.database.close()

    async def aclose(self) -> None:
        """The same from a coroutine, for the connections of its loop too."""
        await self.setup.database.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _set_on_failure(self, function: OnFailure) -> OnFailure:
        self._hooks.on_failure = check_hook("on_failure", function)
        return function

    def _add_task(self, task: Task[..., ..., Any]) -> None:
        check_job_connection(task.spec, self.setup.job_connection)
        self.tasks.add(task, self._outbox)

    def _named(
        self, task: str | Task[..., ..., Any], args: Iterable[Any], kwargs: Mapping[str, Any] | None, given: Using
    ) -> tuple[NewJob, object]:
        if isinstance(args, (str, bytes, Mapping)):
            raise TypeError(f"expected args to be a list of positional arguments, got {args!r}")
        name = task.name if isinstance(task, Task) else task
        options = check_using(SendOptions(), given)
        return self._outbox.named_job(name, options, tuple(args), dict(kwargs or {})), options.connection


def check_hook(name: str, function: F) -> F:
    """Refuse now what could only fail in every job."""
    if not callable(function):
        raise TypeError(f"expected a function for {name}, got {function!r}")
    return function


def check_job_connection(spec: TaskSpec, job_connection: Any) -> None:
    """Refuse a coroutine handler whose transaction would be one of Django's, which belong to threads."""
    if spec.is_async and spec.delivery is Delivery.TRANSACTIONAL and isinstance(job_connection, str):
        raise ConfigurationError(
            f"task {spec.name} is a coroutine function, and transactional on job_connection={job_connection!r}: Django's"
            " connections belong to threads, so its handler must be a plain function; leave `async` away"
        )


def caller_module() -> str | None:
    """The module in which an App is made, by the name under which another process imports it."""
    module = sys._getframe(2).f_globals.get("__name__")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as namedtuple does
    return main_module() if module == "__main__" else module


def _url(url: str | None) -> str:
    if url is not None:
        return url
    for variable in ("SIDEWORK_URL", "DATABASE_URL"):
        if value := os.environ.get(variable):
            return value
    warnings.warn(
        f"no database URL was given, and $SIDEWORK_URL and $DATABASE_URL are not set: using {DEFAULT_URL}",
        stacklevel=3,
    )
    return DEFAULT_URL
