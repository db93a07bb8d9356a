"""What type checkers must know of declaring tasks, on an App or a TaskSet. Checked by mypy and pyright, never run."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, assert_type

from sidework import App, Context, Job, Retry, TaskSet
from sidework.events import Event

app = App("sqlite://")
tasks = TaskSet()


def cubic(job: Job, exception: BaseException) -> timedelta | None:
    return None if isinstance(exception, KeyError) else timedelta(seconds=job.attempt**3)


def tell_someone(job: Job, exception: BaseException) -> None: ...


@app.task()
def without_options(x: int) -> int:
    return x


@app.task(name="mail.welcome", queue="mail", priority=5, retry=Retry(5, delays=[1, timedelta(seconds=5)]), timeout=30)
async def with_options(user_id: int, *, template: str = "hello") -> None: ...


@app.task(delivery="transactional", retry=None, max_crashes=1, on_failure=tell_someone, store_result=False)
def with_context(ctx: Context, order_id: int) -> str:
    return f"{ctx.connection} {order_id}"


@app.task(retry=cubic, timeout=timedelta(minutes=1), executor="process")
def in_a_process(text: str) -> str:
    return text


@tasks.task
def in_a_set(ctx: Context, x: int) -> int:
    return x + ctx.job.attempt


@tasks.task(queue="mail")
async def in_a_set_with_options(x: int) -> int:
    return x


def decorators_with_options_keep_the_signature(ctx: Context) -> None:
    assert_type(without_options(1), int)
    assert_type(without_options.enqueue(1), Job)
    assert_type(with_options.enqueue(7, template="late"), Job)
    assert_type(with_context(ctx, 7), str)
    assert_type(with_context.enqueue(7), Job)
    assert_type(in_a_process("a"), str)
    without_options.enqueue("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with_options.enqueue(7, "late")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with_context.enqueue(ctx, 7)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


def task_sets_keep_the_signature(ctx: Context) -> None:
    app.include(tasks)
    assert_type(in_a_set(ctx, 1), int)
    assert_type(in_a_set.enqueue(1), Job)
    assert_type(in_a_set_with_options.using(queue="slow").enqueue(1), Job)
    in_a_set.enqueue("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    in_a_set_with_options.enqueue()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def wrong_options_are_seen() -> None:
    app.task(que="mail")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    app.task(priority="high")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    app.task(executor="gpu")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    app.task(retry=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    app.task(timeout="1m")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


@app.middleware
def timing(ctx: Context) -> Generator[None, Any, None]:
    yield


@app.subscribe
def heard(event: Event) -> None: ...


@app.on_failure
def failed(job: Job, exception: BaseException) -> None: ...


def hooks_stay_what_they_were(job: Job, event: Event) -> None:
    failed(job, ValueError())
    heard(event)
