"""What type checkers must know of calling and enqueuing a task: checked by mypy and pyright, never run.

Each `ignore` comment expects an error there; the checkers report one that is not needed.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from sidework import App, Context, Job, NewJob

app = App("sqlite://")


@app.task
def log_sum(x: int, y: int) -> int:
    return x + y


@app.task
async def welcome(user_id: int, *, template: str = "hello") -> str:
    return template * user_id


@app.task
def charge(ctx: Context, order_id: int, note: str = "") -> bool:
    return bool(ctx.job.attempt and order_id and note)


@app.task
async def acharge(ctx: Context, order_id: int) -> None: ...


@app.task
def heartbeat(ctx: Context) -> None: ...


@app.task
def total(*amounts: int, **labels: str) -> int:
    return sum(amounts) + len(labels)


def a_task_is_called_like_its_function() -> None:
    assert_type(log_sum(1, 2), int)
    assert_type(log_sum(1, y=2), int)
    assert_type(log_sum.name, str)
    log_sum("a", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def an_async_task_is_awaited_like_its_function(ctx: Context) -> None:
    assert_type(await welcome(1), str)
    assert_type(await welcome(1, template="late"), str)
    assert_type(await acharge(ctx, 7), None)
    await welcome("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _text: str = welcome(1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def enqueue_takes_the_parameters_of_the_function() -> None:
    assert_type(log_sum.enqueue(1, 2), Job)
    assert_type(log_sum.enqueue(x=1, y=2), Job)
    assert_type(welcome.enqueue(7), Job)
    assert_type(welcome.enqueue(7, template="late"), Job)
    assert_type(total.enqueue(), Job)
    assert_type(total.enqueue(1, 2, 3, currency="EUR"), Job)


def enqueue_refuses_what_the_function_would() -> None:
    log_sum.enqueue("a")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    log_sum.enqueue("a", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.enqueue(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    log_sum.enqueue()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    log_sum.enqueue(1, 2, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    log_sum.enqueue(1, 2, z=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    log_sum.enqueue(1, y=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    welcome.enqueue(7, "late")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    total.enqueue("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def aenqueue_is_awaited_and_takes_the_same() -> None:
    assert_type(await log_sum.aenqueue(1, 2), Job)
    assert_type(await welcome.aenqueue(7, template="late"), Job)
    await log_sum.aenqueue("a", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await welcome.aenqueue()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    _job: Job = log_sum.aenqueue(1, 2)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def the_context_is_left_out_of_enqueue_and_kept_in_the_call(ctx: Context) -> None:
    assert_type(charge(ctx, 7), bool)
    assert_type(charge.enqueue(7), Job)
    assert_type(charge.enqueue(7, note="vip"), Job)
    assert_type(acharge.enqueue(order_id=7), Job)
    assert_type(heartbeat.enqueue(), Job)
    charge(7)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    charge.enqueue(ctx, 7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    heartbeat.enqueue(ctx)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def a_job_that_is_not_sent_takes_the_same() -> None:
    assert_type(log_sum.job(1, 2), NewJob)
    assert_type(charge.job(7), NewJob)
    log_sum.job("a", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    charge.job()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
