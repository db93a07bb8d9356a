"""Calling a handler inside its middleware and its transaction: one function for plain handlers, one for coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from typing import Any, Protocol

from sidework.core.context import Context, running_context
from sidework.core.job import Delivery
from sidework.drivers.transaction import AsyncJobTransaction, JobTransaction
from sidework.errors import ConfigurationError
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.setup import Middleware


class Kit(Protocol):
    """What calling needs of a worker."""

    middleware: Sequence[Middleware]
    state: Any

    def transaction(self, attempt: Attempt) -> JobTransaction:
        """The transaction of a plain handler, not yet open."""
        ...

    def atransaction(self, attempt: Attempt) -> AsyncJobTransaction:
        """The transaction of a coroutine handler, not yet open."""
        ...

    def now(self) -> int | None:
        """The test clock's time, or None."""
        ...

    def wait_for(self, awaitable: Awaitable[Any], /) -> Any:
        """Wait for a coroutine from a plain handler's thread."""
        ...

    def is_ending(self) -> bool:
        """Does the worker stop, or its loop end?"""
        ...


def run_plain(attempt: Attempt, kit: Kit, before_end: Callable[[], None]) -> Ended:
    """Run a plain handler in this thread, whatever it raises; `before_end` is called once it can not be interrupted."""
    transaction = kit.transaction(attempt) if attempt.spec.delivery is Delivery.TRANSACTIONAL else None
    try:
        try:
            job = attempt.read()
            context = attempt.context(job, kit.state, transaction.open if transaction else None)
            call = _handler_call(attempt, context, job.args, job.kwargs)
            if transaction is not None and transaction.is_ambient:
                transaction.open()
            value = _inside(context, lambda: wrap_plain(kit.middleware, context, call, kit.wait_for))
        finally:
            before_end()
        settlement = attempt.succeed(value)
        if transaction is None or not transaction.is_open:
            return attempt.returned(settlement, value, is_written=False)
        transaction.commit(settlement, kit.now())
        return attempt.returned(settlement, value, is_written=True)
    except BaseException as error:
        return attempt.fail(error if transaction is None else transaction.undo(error))


async def run_coroutine(attempt: Attempt, kit: Kit) -> Ended:
    """Run a coroutine handler on this loop, whatever it raises."""
    transaction = kit.atransaction(attempt) if attempt.spec.delivery is Delivery.TRANSACTIONAL else None
    try:
        job = attempt.read()
        raw = None if transaction is None else await transaction.open()
        context = attempt.context(job, kit.state, None if transaction is None else lambda: raw)
        token = running_context.set(context)
        try:
            value = await wrap_coroutine(kit.middleware, context, _handler_call(attempt, context, job.args, job.kwargs))
        finally:
            running_context.reset(token)
        settlement = attempt.succeed(value)
        attempt.on_interrupt(None)
        if transaction is None:
            return attempt.returned(settlement, value, is_written=False)
        await transaction.commit(settlement, kit.now())
        return attempt.returned(settlement, value, is_written=True)
    except BaseException as error:
        attempt.on_interrupt(None)
        _note_cancellation(attempt, kit, error)
        return attempt.fail(error if transaction is None else await transaction.undo(error))


def wrap_plain(
    middleware: Sequence[Middleware], context: Context, call: Callable[[], Any], wait_for: Callable[[Any], Any]
) -> Any:
    """Call a plain handler inside the middleware, the first outermost."""
    if not middleware:
        return call()
    layer = middleware[0](context)
    inner = middleware[1:]
    steps = _Waited(layer, wait_for) if isinstance(layer, AsyncGenerator) else _generator(layer, middleware[0])
    _start(steps)
    try:
        result = wrap_plain(inner, context, call, wait_for)
    except BaseException as error:
        return _throw(steps, error)
    return _finish(steps, result)


async def wrap_coroutine(middleware: Sequence[Middleware], context: Context, call: Callable[[], Awaitable[Any]]) -> Any:
    """Call a coroutine handler inside the middleware, the first outermost."""
    if not middleware:
        return await call()
    layer = middleware[0](context)
    inner = middleware[1:]
    if isinstance(layer, AsyncGenerator):
        return await _around_async(layer, lambda: wrap_coroutine(inner, context, call))
    generator = _generator(layer, middleware[0])
    _start(generator)
    try:
        result = await wrap_coroutine(inner, context, call)
    except BaseException as error:
        return _throw(generator, error)
    return _finish(generator, result)


class _Waited:
    """An async generator stepped through from a plain handler's thread, so that the handler stays in it."""

    def __init__(self, layer: AsyncGenerator[Any, Any], wait_for: Callable[[Any], Any]) -> None:
        self._layer = layer
        self._wait_for = wait_for

    def send(self, value: Any) -> Any:
        return self._wait_for(self._step(self._layer.asend(value)))

    def throw(self, error: BaseException) -> Any:
        return self._wait_for(self._step(self._layer.athrow(error)))

    async def _step(self, step: Awaitable[Any]) -> Any:
        try:
            return await step
        except StopAsyncIteration:
            return _STOP  # StopIteration itself cannot leave a coroutine


_STOP = object()


async def _around_async(layer: AsyncGenerator[Any, Any], call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        await anext(layer)
    except StopAsyncIteration:
        raise _wrong_yields("none") from None
    try:
        result = await call()
    except BaseException as error:
        try:
            await layer.athrow(error)
        except StopAsyncIteration:
            return None
        except RuntimeError as raised:
            if _is_wrapped(raised, error):
                raise error from error.__cause__
            raise
        raise _wrong_yields("more") from error
    try:
        await layer.asend(result)
    except StopAsyncIteration:
        return result
    raise _wrong_yields("more")


def _generator(layer: Any, middleware: Middleware) -> Generator[Any, Any, Any]:
    if isinstance(layer, Generator):
        return layer
    if inspect.iscoroutine(layer):
        layer.close()
    raise ConfigurationError(f"middleware {middleware!r} is no generator: write a function with one `result = yield`")


def _start(steps: _Steps) -> None:
    try:
        if steps.send(None) is not _STOP:
            return
    except StopIteration:
        pass
    raise _wrong_yields("none")


def _throw(steps: _Steps, error: BaseException) -> None:
    try:
        if steps.throw(error) is _STOP:
            return
    except StopIteration:
        return
    except RuntimeError as raised:
        if _is_wrapped(raised, error):
            raise error from error.__cause__
        raise
    raise _wrong_yields("more") from error


def _is_wrapped(raised: RuntimeError, thrown: BaseException) -> bool:
    """Did a generator let it pass? Python makes a RuntimeError of a StopIteration or StopAsyncIteration on its way out."""
    return raised.__cause__ is thrown and isinstance(thrown, (StopIteration, StopAsyncIteration))


def _finish(steps: _Steps, result: Any) -> Any:
    try:
        if steps.send(result) is _STOP:
            return result
    except StopIteration:
        return result
    raise _wrong_yields("more")


class _Steps(Protocol):
    def send(self, value: Any, /) -> Any: ...

    def throw(self, error: BaseException, /) -> Any: ...


def _wrong_yields(count: str) -> ConfigurationError:
    return ConfigurationError(f"a middleware yields exactly once, where the handler runs; this one yielded {count}")


def _handler_call(attempt: Attempt, context: Context, args: Sequence[Any], kwargs: Any) -> Callable[[], Any]:
    first = (context,) if attempt.spec.takes_context else ()
    return lambda: attempt.spec.function(*first, *args, **kwargs)


def _inside(context: Context, call: Callable[[], Any]) -> Any:
    token = running_context.set(context)
    try:
        return call()
    finally:
        running_context.reset(token)


def _note_cancellation(attempt: Attempt, kit: Kit, error: BaseException) -> None:
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or task is None or not task.cancelling():
        return  # raised by the handler itself: an exception like any other
    while task.uncancel():
        pass
    if kit.is_ending():
        attempt.request_stop(Stop.SHUTDOWN)  # counts only where no other reason was given
