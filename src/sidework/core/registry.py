"""Declared tasks: what a function and its options come to, and the table of them by name."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sidework.core.context import Context
from sidework.core.job import Delivery, Job
from sidework.core.lifecycle import DEFAULT_MAX_CRASHES
from sidework.core.options import check_count, check_duration, check_priority, check_queue, check_task_name
from sidework.core.retry import Retry, RetryPolicy
from sidework.errors import ConfigurationError, Seconds, UnknownTask

DEFAULT_RETRY = Retry()
ExecutorName = Literal["async", "thread", "process"]
OnFailure = Callable[[Job, BaseException], Any]


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The options of `app.task`, as given."""

    name: str | None = None
    queue: str = "default"
    priority: int = 0
    retry: RetryPolicy = DEFAULT_RETRY
    max_crashes: int = DEFAULT_MAX_CRASHES
    timeout: Seconds | None = None
    delivery: str = Delivery.AT_LEAST_ONCE
    executor: ExecutorName | None = None
    on_failure: OnFailure | None = None
    store_result: bool = True


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A declared task, checked: how to call its function, and what to do around it."""

    name: str
    function: Callable[..., Any]
    queue: str
    priority: int
    retry: RetryPolicy
    max_crashes: int
    timeout: float | None
    delivery: Delivery
    executor: ExecutorName
    on_failure: OnFailure | None
    store_result: bool
    is_async: bool
    takes_context: bool
    signature: inspect.Signature
    hints: Mapping[str, object]
    positional: tuple[str, ...]

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError where the function could not be called so."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"task {self.name}{self.signature}: {error}") from None


def declare(function: Callable[..., Any], name: str, options: TaskOptions) -> TaskSpec:
    """The task of a function; raises ConfigurationError or TypeError for what cannot work."""
    if not callable(function):
        raise TypeError(f"expected a function to make a task of, got {function!r}")
    is_async = inspect.iscoroutinefunction(_written(function))
    delivery = _delivery(options.delivery)
    signature, hints, takes_context = _signature(function)
    return TaskSpec(
        name=check_task_name(name),
        function=function,
        queue=check_queue(options.queue),
        priority=check_priority(options.priority),
        retry=_retry(options.retry),
        max_crashes=1 if delivery is Delivery.AT_MOST_ONCE else check_count("max_crashes", options.max_crashes),
        timeout=None if options.timeout is None else check_duration("timeout", options.timeout, least=0.001),
        delivery=delivery,
        executor=_executor(options.executor, delivery, is_async=is_async),
        on_failure=options.on_failure,
        store_result=options.store_result,
        is_async=is_async,
        takes_context=takes_context,
        signature=signature,
        hints=hints,
        positional=tuple(name for name, parameter in signature.parameters.items() if parameter.kind in _POSITIONAL),
    )


class Registry:
    """Task specs by name."""

    def __init__(self) -> None:
        self._specs: dict[str, TaskSpec] = {}

    def add(self, spec: TaskSpec) -> None:
        """Register a task; the same function may come twice, another under a taken name is refused."""
        known = self._specs.get(spec.name)
        if known is not None and known.function is not spec.function:
            raise ConfigurationError(
                f"a task named {spec.name!r} is registered already ({known.function!r}); give one of them name=..."
            )
        self._specs[spec.name] = spec

    def remove(self, name: str) -> None:
        """Forget a task; UnknownTask where there is none."""
        self.get(name)
        del self._specs[name]

    def get(self, name: str) -> TaskSpec:
        """The task of that name, or UnknownTask with the names there are."""
        spec = self._specs.get(name)
        if spec is None:
            known = ", ".join(sorted(self._specs)[:20]) or "none"
            raise UnknownTask(f"no task is named {name!r} here; registered: {known}. Is its module in imports=[...]?")
        return spec

    def find(self, name: str) -> TaskSpec | None:
        """The task of that name, or None."""
        return self._specs.get(name)

    def crash_budgets(self) -> dict[str, int]:
        """What a claim says about the tasks known here."""
        return {name: spec.max_crashes for name, spec in self._specs.items()}

    def __iter__(self) -> Iterator[TaskSpec]:
        return iter(list(self._specs.values()))

    def __len__(self) -> int:
        return len(self._specs)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _signature(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, object], bool]:
    signature, written = inspect.signature(function), _written(function)
    try:
        hints = typing.get_type_hints(written, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that only a type checker sees: such parameters have no hint
        hints = {
            name: value for name, value in getattr(written, "__annotations__", {}).items() if not isinstance(value, str)
        }
    parameters = list(signature.parameters.values())
    takes_context = bool(parameters) and _is_context(parameters[0], hints)
    if takes_context:
        parameters = parameters[1:]
    return signature.replace(parameters=parameters), _call_hints(parameters, hints), takes_context


def _written(function: Any) -> Any:
    """The function that was written, beneath a partial or an object that can be called."""
    if isinstance(function, functools.partial):
        return _written(function.func)
    return function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__


def _is_context(parameter: inspect.Parameter, hints: Mapping[str, object]) -> bool:
    hint = hints.get(parameter.name, parameter.annotation)
    if isinstance(hint, str):
        return hint in {"Context", "sidework.Context"}
    return isinstance(hint, type) and issubclass(hint, Context)


def _call_hints(parameters: list[inspect.Parameter], hints: Mapping[str, object]) -> dict[str, object]:
    prefixes: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    named = {prefixes.get(each.kind, "") + each.name: hints[each.name] for each in parameters if each.name in hints}
    return {**named, **({"return": hints["return"]} if "return" in hints else {})}


def _delivery(value: str) -> Delivery:
    try:
        return Delivery(value)
    except ValueError:
        names = ", ".join(repr(each.value) for each in Delivery)
        raise ConfigurationError(f"expected delivery to be one of {names}, got {value!r}") from None


def _retry(policy: RetryPolicy) -> RetryPolicy:
    if policy is None or isinstance(policy, Retry) or callable(policy):
        return policy
    raise TypeError(f"expected retry to be Retry(...), None or a function of job and exception, got {policy!r}")


def _executor(executor: ExecutorName | None, delivery: Delivery, *, is_async: bool) -> ExecutorName:
    own: ExecutorName = "async" if is_async else "thread"
    if executor in (None, own):
        return own
    if executor != "process":
        kind = "a coroutine function" if is_async else "a plain function"
        raise ConfigurationError(f"expected executor to be {own!r} or 'process' for {kind}, got {executor!r}")
    if delivery is Delivery.TRANSACTIONAL:
        raise ConfigurationError(
            "executor='process' cannot be transactional: the transaction's connection stays in the worker;"
            f" use executor={own!r}"
        )
    return "process"
