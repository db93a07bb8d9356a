"""What is kept of an exception: names and text only, cut and cleaned so that recording a failure can never fail."""

from __future__ import annotations

import json
import traceback
from typing import Any

from sidework.core.job import AttemptError, from_micros

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 16_000
MAX_ERRORS = 100
"""Entries kept for one job: the newest, and the first."""

_CUT = "... [cut]"


def type_name(exception: BaseException) -> str:
    """The exception's class as text, without `builtins.`."""
    cls = type(exception)
    name = cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"
    return clean(name, 200)


def message_of(exception: BaseException) -> str:
    """`str(exception)`, whatever its `__str__` does."""
    try:
        return clean(str(exception), MAX_MESSAGE)
    except BaseException as error:
        return f"[str() of this exception raised {type(error).__name__}]"


def traceback_of(exception: BaseException) -> str:
    """The formatted traceback with its causes, its end kept when it is long."""
    try:
        lines = traceback.TracebackException.from_exception(exception, limit=-40, compact=True).format(chain=True)
        text = "".join(lines)
    except BaseException as error:
        return f"[formatting the traceback raised {type(error).__name__}]"
    return clean(text, MAX_TRACEBACK, keep_end=True)


def clean(text: str, limit: int, *, keep_end: bool = False) -> str:
    """Text that every database stores: no NUL, no lone surrogate, at most `limit` characters, marked where cut.

    >>> clean("a" * 20, 15)
    'aaaaaa... [cut]'
    """
    if len(text) > limit:
        kept = limit - len(_CUT)
        text = _CUT + text[-kept:] if keep_end else text[:kept] + _CUT
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def add_error(errors: str | None, exception: BaseException, *, attempt: int, at: int | None) -> str:
    """The stored errors with one more attempt's; `at` is microseconds by the database's clock."""
    entries = read_entries(errors)
    entry = {
        "attempt": attempt,
        "at": at,
        "type": type_name(exception),
        "message": message_of(exception),
        "traceback": traceback_of(exception),
    }
    entries.append(entry)
    if len(entries) > MAX_ERRORS:
        entries = [entries[0], *entries[-MAX_ERRORS + 1 :]]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def read_errors(errors: str | None) -> tuple[AttemptError, ...]:
    """The stored errors, one an attempt."""
    return tuple(
        AttemptError(
            attempt=int(entry.get("attempt", 0)),
            at=from_micros(entry.get("at")),
            type=str(entry.get("type", "")),
            message=str(entry.get("message", "")),
            traceback=str(entry.get("traceback", "")),
        )
        for entry in read_entries(errors)
    )


def read_entries(errors: str | None) -> list[dict[str, Any]]:
    """The stored list; text that somebody else wrote over it counts as one entry instead of stopping us."""
    if errors is None:
        return []
    try:
        entries = json.loads(errors)
    except (ValueError, RecursionError):
        return [{"message": clean(errors, MAX_MESSAGE)}]
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
