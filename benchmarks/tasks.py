"""The tasks that are measured, and the App that the measuring process and its workers make of them."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from sidework import App, Context, Task

TEXT = "a line of text such as an application would pass along"

EFFECT = "insert into effects (n) values (1)"
"""What the application's own part of a transaction does."""


@dataclass(frozen=True, slots=True)
class Bench:
    """An App and its tasks."""

    app: App
    coroutine: Task[[int, str], [int, str], Coroutine[Any, Any, None]]
    plain: Task[[int, str], [int, str], None]
    paid: Task[[int, str], [Context, int, str], None]
    marked: Task[[int], [int], None]


def open_bench(url: str) -> Bench:
    """The App on that database; nothing connects yet."""
    app = App(url)
    return Bench(
        app,
        coroutine=app.task(name="bench.coroutine")(run_coroutine),
        plain=app.task(name="bench.plain")(run_plain),
        paid=app.task(name="bench.paid", delivery="transactional")(pay),
        marked=app.task(name="bench.marked")(mark),
    )


async def run_coroutine(number: int, text: str) -> None:
    """Do nothing, on the worker's loop."""


def run_plain(number: int, text: str) -> None:
    """Do nothing, in a thread."""


def pay(ctx: Context, number: int, text: str) -> None:  # noqa: ARG001 - the floor's jobs carry them too
    """Write one row in the job's own transaction."""
    ctx.connection.cursor().execute(EFFECT)


def mark(number: int) -> None:
    """Say when the handler started, by a clock that all processes of the machine share."""
    print(f"started {number} {time.monotonic()}", flush=True)
