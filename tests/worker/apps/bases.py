"""Exceptions that are hard to survive, and exceptions that are hard to record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class OwnBase(BaseException):
    """Not an Exception."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Exiting(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


def _recursion() -> BaseException:
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    try:
        deeper(0)
    except RecursionError as error:
        return error
    raise AssertionError("Python has no limit any more")


def make(kinds: dict[str, Callable[[], BaseException]], kind: str) -> BaseException:
    """An exception of a table."""
    return kinds[kind]()


EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "StopIteration": lambda: StopIteration(1),
    "StopAsyncIteration": StopAsyncIteration,
    "MemoryError": MemoryError,
    "RecursionError": _recursion,
    "ExceptionGroup": lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("two", [SystemExit(1), KeyError("b")]),
    "OwnBase": OwnBase,
}

TOLD_AS = {("async", "StopIteration"): "RuntimeError"}
"""Python itself lets no StopIteration out of a coroutine."""


def _cycle(attribute: str) -> BaseException:
    first, second = ValueError("first"), ValueError("second")
    setattr(first, attribute, second)
    setattr(second, attribute, first)
    return first


def _chain() -> BaseException:
    error = ValueError("the last")
    for number in range(20_000):
        outer = ValueError(f"number {number}")
        outer.__cause__ = error
        error = outer
    return error


MESSAGES: dict[str, Callable[[], BaseException]] = {
    "50 MB": lambda: ValueError("x" * 50_000_000),
    "NUL": lambda: ValueError("a\x00b"),
    "lone surrogate": lambda: ValueError("a\ud800b"),
    "no text": Unprintable,
    "exits": Exiting,
    "cyclic cause": lambda: _cycle("__cause__"),
    "cyclic context": lambda: _cycle("__context__"),
    "long chain": _chain,
    "type of a long name": lambda: type("T" * 10_000, (Exception,), {})("m"),
    "type of an odd name": lambda: type("\ud800\x00", (Exception,), {})("m"),
}
