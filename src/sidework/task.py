"""Tasks as their users hold them: a function that can also be enqueued, typed by its own parameters."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload
from uuid import UUID

from sidework.core.context import Context
from sidework.core.job import Job, NewJob
from sidework.core.options import check_duration, check_moment, check_priority, check_queue, check_tags
from sidework.core.registry import ExecutorName, OnFailure, TaskOptions, TaskSpec, declare
from sidework.core.retry import RetryPolicy
from sidework.errors import ConfigurationError, Seconds

P = ParamSpec("P")
"""The parameters that `enqueue` takes."""

Q = ParamSpec("Q")
"""The parameters of the function itself: the same, with the Context first where it has one."""

R = TypeVar("R")


class Sender(Protocol):
    """What a task needs of its App."""

    def new_job(self, spec: TaskSpec, options: SendOptions, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NewJob:
        """A job of the task, its arguments bound and encoded."""
        ...

    def send(self, job: NewJob, connection: object) -> Job:
        """Store it: in the caller's transaction where a connection is given."""
        ...

    async def asend(self, job: NewJob, connection: object) -> Job:
        """The same from a coroutine."""
        ...


@dataclass(frozen=True, slots=True)
class SendOptions:
    """The checked options of `using()`; None leaves the task's own."""

    connection: object = None
    queue: str | None = None
    priority: int | None = None
    run_at: datetime | None = None
    delay: float | None = None
    id: UUID | None = None
    tags: tuple[str, ...] = ()


class Using(TypedDict, total=False):
    """The keyword arguments of `using()` and of enqueuing by name."""

    connection: object
    queue: str | None
    priority: int | None
    run_at: datetime | None
    delay: Seconds | None
    id: UUID | str | None
    tags: Sequence[str] | None


def check_using(base: SendOptions, given: Using) -> SendOptions:
    """`base` with what is given in its place; raises ConfigurationError or TypeError for what cannot be."""
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _CHECKS:
            raise TypeError(f"using() has no option {name!r}; it takes {', '.join(_CHECKS)}")
        if value is not None:
            changes[name] = _CHECKS[name](value)
    options = replace(base, **changes)
    if options.run_at is not None and options.delay is not None:
        raise ConfigurationError(
            f"give run_at or delay, not both: got run_at={options.run_at} and delay={options.delay:g}"
        )
    return options


def _check_id(value: UUID | str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"expected id to be a UUID, got {value!r}") from None


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "connection": lambda value: value,
    "queue": check_queue,
    "priority": check_priority,
    "run_at": functools.partial(check_moment, "run_at"),
    "delay": functools.partial(check_duration, "delay"),
    "id": _check_id,
    "tags": check_tags,
}


class Task(Generic[P, Q, R]):
    """A declared task: call it like its function, or enqueue it with the same arguments (without the Context).

    >>> from sidework import App
    >>> app = App("sqlite://")
    >>> @app.task
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double(4)
    8
    """

    def __init__(self, function: Callable[Q, R], spec: TaskSpec) -> None:
        self.spec = spec
        self._function = function
        self._sender: Sender | None = None
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        """The name under which its jobs are stored."""
        return self.spec.name

    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R:
        """Call the function itself, here and now."""
        return self._function(*args, **kwargs)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Store a job and commit it; see `using` for the caller's transaction, a time, a queue and more.

        Raises TypeError for arguments that the function does not take, InvalidPayload for what cannot be stored.
        """
        return self._plain().enqueue(*args, **kwargs)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """The same from a coroutine."""
        return await self._plain().aenqueue(*args, **kwargs)

    def job(self, *args: P.args, **kwargs: P.kwargs) -> NewJob:
        """A job that is not sent yet, for `App.enqueue_many`."""
        return self._plain().job(*args, **kwargs)

    def using(self, **options: Unpack[Using]) -> BoundTask[P]:
        """The task with options for the jobs it makes.

        `connection`: any supported handle, whose transaction the job joins. `queue`, `priority`: instead of the task's.
        `run_at` (aware datetime) or `delay` (seconds or timedelta by the database's clock): not before. `id`: a UUID of
        the caller's; enqueuing it again gives the same job. `tags`: up to 20 texts to find it by.
        """
        return BoundTask(self.spec, self.sender, check_using(SendOptions(), options))

    def attach(self, sender: Sender) -> None:
        """Tell which App stores its jobs; the App that includes a TaskSet last wins."""
        self._sender = sender

    def sender(self) -> Sender:
        """The App that stores its jobs."""
        if self._sender is None:
            raise ConfigurationError(
                f"task {self.name!r} belongs to a TaskSet that no App includes yet; call app.include(...) first"
            )
        return self._sender

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def _plain(self) -> BoundTask[P]:
        return BoundTask(self.spec, self.sender, _PLAIN)


_PLAIN = SendOptions()


class BoundTask(Generic[P]):
    """A task with options: what `Task.using` returns."""

    def __init__(self, spec: TaskSpec, sender: Callable[[], Sender], options: SendOptions) -> None:
        self._spec = spec
        self._sender = sender
        self._options = options

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Store a job: in the caller's transaction where a connection is given, else committed on return."""
        sender = self._sender()
        return sender.send(sender.new_job(self._spec, self._options, args, kwargs), self._options.connection)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """The same from a coroutine, and for async handles."""
        sender = self._sender()
        return await sender.asend(sender.new_job(self._spec, self._options, args, kwargs), self._options.connection)

    def job(self, *args: P.args, **kwargs: P.kwargs) -> NewJob:
        """A job that is not sent yet; its connection is the one that `enqueue_many` is given."""
        if self._options.connection is not None:
            raise ConfigurationError("a connection belongs to enqueue_many(..., connection=...), not to a single job()")
        return self._sender().new_job(self._spec, self._options, args, kwargs)

    def using(self, **options: Unpack[Using]) -> BoundTask[P]:
        """The same with more options; later ones win."""
        return BoundTask(self._spec, self._sender, check_using(self._options, options))


class Declared(TypedDict, total=False):
    """The keyword arguments of `@app.task(...)`."""

    name: str | None
    queue: str
    priority: int
    retry: RetryPolicy
    max_crashes: int
    timeout: Seconds | None
    delivery: str
    executor: ExecutorName | None
    on_failure: OnFailure | None
    store_result: bool


class TaskDecorator(Protocol):
    """What `@app.task(...)` with options returns: it makes a Task of a function, and leaves a Context out of its calls."""

    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, Concatenate[Context, P], R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, P, R]: ...

    def __call__(self, function: Callable[..., Any], /) -> Task[..., ..., Any]:
        """The task of the function."""
        ...


def make_task(function: Callable[Q, R], options: TaskOptions) -> Task[Any, Q, R]:
    """The task of a function, not yet attached to an App."""
    return Task(function, declare(function, options.name or name_of(function), options))


def name_of(function: Callable[..., Any]) -> str:
    """Module and qualified name; for a script's `__main__` the module that a worker would import it as."""
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    if not module or not qualname:
        raise ConfigurationError(f"{function!r} has no name; give the task one: @app.task(name=...)")
    if module == "__main__":
        module = main_module()
    if module is None:
        raise ConfigurationError(
            f"{qualname!r} is declared in a script or session that no worker can import; give the task a name:"
            " @app.task(name=...), or move it into a module"
        )
    return f"{module}.{qualname}"


def main_module() -> str | None:
    """The name by which the running script would be imported; None where it could not be."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name.removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return Path(path).stem if path is not None and Path(path).stem.isidentifier() else None


class TaskSet:
    """Tasks declared apart from an App, which includes them later.

    >>> tasks = TaskSet()
    >>> @tasks.task(queue="mail")
    ... def welcome(user_id: int) -> None: ...
    >>> [task.name.rpartition(".")[2] for task in tasks]
    ['welcome']
    """

    def __init__(self) -> None:
        self._tasks: list[Task[..., ..., Any]] = []
        self._followers: list[Callable[[Task[..., ..., Any]], None]] = []

    @overload
    def task(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, Concatenate[Context, P], R]: ...

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, P, R]: ...

    @overload
    def task(self, /, **options: Unpack[Declared]) -> TaskDecorator: ...

    def task(self, function: Callable[..., Any] | None = None, /, **options: Unpack[Declared]) -> Any:
        """Declare a task; the options are those of `App.task`."""
        return decorate(self._add, function, task_options(options))

    def follow(self, add: Callable[[Task[..., ..., Any]], None]) -> None:
        """Call `add` with each task, and with those that are declared later; `App.include` does."""
        self._followers.append(add)
        for task in self._tasks:
            add(task)

    def __iter__(self) -> Iterator[Task[..., ..., Any]]:
        return iter(self._tasks)

    def _add(self, task: Task[..., ..., Any]) -> None:
        self._tasks.append(task)
        for add in self._followers:
            add(task)


def task_options(given: Declared) -> TaskOptions:
    """The options of `@task(...)`; TypeError for one that there is not."""
    if unknown := set(given) - set(Declared.__annotations__):
        raise TypeError(f"task() has no option {min(unknown)!r}; it takes {', '.join(Declared.__annotations__)}")
    return TaskOptions(**given)


def decorate(
    add: Callable[[Task[..., ..., Any]], None], function: Callable[..., Any] | None, options: TaskOptions
) -> Any:
    """`@task` and `@task(...)` alike: the task, or a decorator that makes it; `add` is told of it."""

    def declare_function(declared: Callable[..., Any], /) -> Task[..., ..., Any]:
        task: Task[..., ..., Any] = make_task(declared, options)
        add(task)
        return task

    return declare_function if function is None else declare_function(function)
