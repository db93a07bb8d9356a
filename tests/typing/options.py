"""What type checkers must know of options: using(), many jobs, by name. Checked by mypy and pyright, never run."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type
from uuid import UUID, uuid4

from sidework import App, Context, Job, NewJob

app = App("sqlite://")


@app.task
def log_sum(x: int, y: int) -> int:
    return x + y


@app.task(queue="mail")
async def welcome(ctx: Context, user_id: int) -> None: ...


def using_keeps_the_parameters(connection: object) -> None:
    assert_type(log_sum.using(connection=connection).enqueue(1, 2), Job)
    assert_type(log_sum.using(delay=timedelta(hours=1), queue="slow", priority=3).enqueue(1, y=2), Job)
    assert_type(log_sum.using(run_at=datetime.now(UTC)).using(id=uuid4()).enqueue(1, 2), Job)
    assert_type(welcome.using(delay=1.5, tags=["a"], id=str(uuid4())).enqueue(7), Job)
    log_sum.using(queue="slow").enqueue("a", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.using().using().enqueue(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    welcome.using(queue="slow").enqueue()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def using_has_the_async_twin() -> None:
    assert_type(await welcome.using(queue="slow").aenqueue(7), Job)
    await welcome.using(queue="slow").aenqueue("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def using_knows_its_options() -> None:
    log_sum.using(que="slow")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    log_sum.using(priority="high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.using(delay="1h")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.using(run_at=12.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.using(id=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    log_sum.using(queue="slow")(1, 2)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]


def many_jobs_are_made_of_unsent_ones(connection: object) -> None:
    assert_type(log_sum.using(priority=1).job(1, 2), NewJob)
    assert_type(app.enqueue_many(log_sum.job(i, i) for i in range(10)), list[Job])
    assert_type(app.enqueue_many([log_sum.job(1, 2), welcome.job(7)], connection=connection), list[Job])
    app.enqueue_many([log_sum.enqueue(1, 2)])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    app.enqueue_many(log_sum.job(1, 2))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def many_jobs_have_the_async_twin() -> None:
    assert_type(await app.aenqueue_many([log_sum.job(1, 2)]), list[Job])


def a_task_can_be_named(connection: object) -> None:
    assert_type(app.enqueue("mail.welcome", args=[7], queue="mail", priority=9), Job)
    assert_type(app.enqueue(log_sum, args=(1, 2), connection=connection), Job)
    assert_type(app.enqueue("mail.welcome", kwargs={"user_id": 7}).id, UUID)
    app.enqueue(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    app.enqueue("mail.welcome", que="mail")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
