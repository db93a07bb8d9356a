"""An App whose handlers run in other processes: those of executor="process", and workers that are killed."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sidework
from sidework import App, Context, Job, Reject, Retry, Snooze


@asynccontextmanager
async def lifespan() -> AsyncIterator[dict[str, bool]]:
    """A resource that knows whether it was closed."""
    resource = {"is_open": True}
    try:
        yield resource
    finally:
        resource["is_open"] = False


app = App(os.environ["SIDEWORK_TEST_APP"], lifespan=lifespan)
soon = Retry(max_attempts=2, delays=[0])


@app.task(executor="process")
def pid() -> int:
    return os.getpid()


@app.task(executor="process")
async def async_pid(ctx: Context) -> list[Any]:
    await asyncio.sleep(0)
    return [os.getpid(), str(ctx.job.id), str(sidework.current().job.id)]


@app.task(executor="process")
def state_after_collecting(ctx: Context) -> dict[str, bool]:
    gc.collect()
    return dict(ctx.state)


@app.task(executor="process")
def printing() -> str:
    sys.stdout.write("this is not an answer\n")
    sys.stdout.flush()
    os.write(1, b"nor is this\n")
    return "answered"


@app.task(executor="process", retry=soon)
def raising(kind: str) -> None:
    raise BASE_EXCEPTIONS[kind]("from the child")


@app.task(executor="process")
def signalling(kind: str) -> None:
    if kind == "snooze" and not Path(os.environ["SIDEWORK_TEST_FLAG"]).exists():
        Path(os.environ["SIDEWORK_TEST_FLAG"]).touch()
        raise Snooze(0)
    if kind == "reject":
        raise Reject("not this one")


@app.task(executor="process", timeout=0.3, retry=None)
def endless() -> None:
    while True:
        time.sleep(60)


@app.task(executor="process", max_crashes=2)
def dying() -> None:
    os._exit(7)


@app.task(executor="process")
def patient(ctx: Context) -> str:
    ctx.progress(0.5, "waiting")
    try:
        ctx.cancelled.wait(30)
    finally:
        ctx.progress(0.75, "told")
    return "ended by itself"


@app.task(executor="process")
def restless(ctx: Context) -> None:
    """Never ends by itself, and can be interrupted."""
    ctx.progress(0.5, "waiting")
    try:
        while True:
            time.sleep(0.01)
    finally:
        ctx.progress(0.75, "told")


@app.task(executor="process")
def unstorable() -> object:
    return object()


@app.task
def hold(ctx: Context, seconds: float = 60) -> str:
    """Runs until it is told to stop, or its time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
    return f"attempt {ctx.job.attempt}"


@app.task
async def ahold(ctx: Context, seconds: float = 60) -> str:
    await asyncio.sleep(seconds)
    return f"attempt {ctx.job.attempt}"


@app.task
def hold_once(ctx: Context, seconds: float = 60) -> str:
    """Is held by the first worker only; another finishes it at once."""
    if ctx.job.attempt == 1:
        hold(ctx, seconds)
    return f"attempt {ctx.job.attempt}"


@app.task(delivery="at_most_once")
def hold_at_most_once(ctx: Context) -> str:
    return hold(ctx, 60)


@app.task(max_crashes=2)
def hold_twice(ctx: Context) -> int:
    hold(ctx, 60 if ctx.job.attempt == 1 else 0.5)
    return os.getpid()


@app.task(max_crashes=2)
async def ahold_twice(ctx: Context) -> int:
    await asyncio.sleep(60 if ctx.job.attempt == 1 else 0.5)
    return os.getpid()


@app.task(max_crashes=2, delivery="transactional")
def hold_in_transaction(ctx: Context) -> int:
    if ctx.job.attempt == 1:
        hold(ctx, 60)
    ctx.connection.cursor().execute("select 1")
    return os.getpid()


@app.task(max_crashes=4)
def kill_when_crowded(ctx: Context, neighbours: int) -> None:
    """Dies at once, the first time as soon as the others run besides."""
    while ctx.job.attempt == 1 and app.jobs.count(state="running") <= neighbours:
        time.sleep(0.02)
    os._exit(9)


@app.task(max_crashes=2)
def kill_worker() -> None:
    os._exit(9)


@app.task
def deaf(seconds: float) -> str:
    """Sits in C code, which no exception reaches."""
    time.sleep(seconds)
    return "slept"


@app.task
def quick() -> str:
    return "done"


class OwnBase(BaseException):
    """Not an Exception."""


BASE_EXCEPTIONS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError,
        StopIteration,
        StopAsyncIteration,
        MemoryError,
        RecursionError,
        OwnBase,
        ValueError,
    )
}


@app.middleware
def stamping(ctx: Context) -> Iterator[None]:
    """Sees that middleware runs where the handler runs."""
    if "stamp" in ctx.job.tags:
        ctx.progress(0.1, str(os.getpid()))
    yield


@app.on_failure
def note_failure(job: Job, exception: BaseException) -> None:
    folder = os.environ.get("SIDEWORK_TEST_FAILURES")
    if folder:
        state = app.jobs.get(job.id).state
        Path(folder, f"{job.id}-{os.getpid()}").write_text(f"{type(exception).__name__} {state}")
