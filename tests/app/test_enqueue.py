"""Enqueuing one job: by its task, by name, with options, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sidework import App, ConfigurationError, Context, IdConflict, InvalidPayload, Job, NewJob, Retry, UnknownTask

LATER = datetime(2070, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def test_a_job_is_stored_with_what_was_asked_and_the_rest_by_its_task(app: App) -> None:
    @app.task(name="mail.welcome", queue="mail", priority=5, retry=Retry(max_attempts=5, delays=[1, 5, 60]))
    def welcome(user_id: int, *, template: str = "hello") -> None: ...

    plain = welcome.enqueue(7)
    assert (plain.task, plain.queue, plain.priority, plain.args, plain.kwargs) == ("mail.welcome", "mail", 5, (7,), {})
    assert (plain.state, plain.attempt, plain.max_attempts, plain.crashes, plain.tags) == ("waiting", 0, 5, 0, ())
    assert plain.id.version == 7

    options = welcome.using(queue="slow", priority=-3, run_at=LATER, tags=["a", "b"])
    job = options.enqueue(8, template="late")
    stored = app.jobs.get(job.id)
    assert (stored.queue, stored.priority, stored.run_at, stored.tags) == ("slow", -3, LATER, ("a", "b"))
    assert (stored.args, stored.kwargs) == ((8,), {"template": "late"})
    assert stored.enqueued_at is not None
    assert stored.enqueued_at.utcoffset() == timedelta(0)
    assert (stored.started_at, stored.finished_at, stored.worker, stored.errors) == (None, None, None, ())
    assert timeless(stored) == timeless(job)


async def test_the_async_twin_does_the_same(app: App) -> None:
    add = app.task(name="add")(_add)
    job = await add.using(queue="sums", tags=["t"]).aenqueue(3, 4)
    assert await app.jobs.aget(job.id) == app.jobs.get(job.id)
    named = await app.aenqueue("elsewhere", args=[1], kwargs={"a": 2}, priority=4)
    assert (named.task, named.args, named.kwargs, named.priority) == ("elsewhere", (1,), {"a": 2}, 4)
    await app.aclose()


def test_a_delay_counts_from_the_databases_clock(app: App) -> None:
    add = app.task(name="add")(_add)
    for delay in (3600, timedelta(hours=1), 3600.0):
        job = app.jobs.get(add.using(delay=delay).enqueue(1, 2).id)
        assert job.run_at is not None
        assert job.enqueued_at is not None
        assert abs(job.run_at - job.enqueued_at - timedelta(hours=1)) < timedelta(seconds=1)
    assert app.work_once() is None


def test_by_name_a_task_need_not_be_known_here(app: App) -> None:
    job = app.enqueue("elsewhere.run", [1, "two"], {"three": 3.0}, queue="q", tags=["x"])
    assert timeless(app.jobs.get(job.id)) == timeless(job)
    assert app.work_once() is None, "nobody here knows that task"


def test_by_name_a_known_task_keeps_its_options_and_its_signature(lite: App) -> None:
    @lite.task(name="mail", queue="mail", priority=2, retry=None)
    def mail(to: str) -> None: ...

    job = lite.enqueue("mail", args=["me"])
    assert (job.queue, job.priority, job.max_attempts) == ("mail", 2, 1)
    assert lite.enqueue(mail, args=["me"], queue="other").queue == "other"
    with pytest.raises(TypeError, match="task mail"):
        lite.enqueue("mail", args=["me", "you"])
    with pytest.raises(TypeError, match="expected args to be a list"):
        lite.enqueue("mail", args="me")
    with pytest.raises(TypeError, match="using\\(\\) has no option 'colour'"):
        lite.enqueue("mail", args=["me"], colour="red")  # type: ignore[call-arg]
    for name in ("", "with space", "x" * 201, "new\nline", 5):
        with pytest.raises(ConfigurationError, match="expected a task name"):
            lite.enqueue(name)  # type: ignore[arg-type]


def test_wrong_arguments_are_refused_at_once_with_the_task_named(lite: App) -> None:
    @lite.task(name="sums.add")
    def add(ctx: Context, x: int, *, y: int = 0) -> None: ...

    calls: list[Callable[[], Any]] = [
        add.enqueue,  # type: ignore[list-item]
        lambda: add.enqueue(1, 2),  # type: ignore[call-arg]
        lambda: add.enqueue(1, z=2),  # type: ignore[call-arg]
        lambda: add.job(1, x=2),  # type: ignore[misc]
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"task sums\.add\(x: "):
            call()
    with pytest.raises(InvalidPayload, match=r"args\[0\]"):
        add.enqueue(object())  # type: ignore[arg-type]
    assert lite.jobs.count() == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"run_at": datetime(2070, 1, 1)}, ConfigurationError, "datetime with a time zone"),  # noqa: DTZ001
        ({"run_at": "tomorrow"}, TypeError, "expected run_at to be a datetime"),
        ({"run_at": LATER, "delay": 1}, ConfigurationError, "run_at or delay, not both"),
        ({"delay": -1}, ConfigurationError, "between 0 and"),
        ({"delay": float("nan")}, ConfigurationError, "between 0 and"),
        ({"delay": "1"}, TypeError, "seconds or timedelta"),
        ({"queue": ""}, ConfigurationError, "expected a queue name"),
        ({"queue": "a b"}, ConfigurationError, "expected a queue name"),
        ({"queue": "-a"}, ConfigurationError, "expected a queue name"),
        ({"queue": "q" * 101}, ConfigurationError, "expected a queue name"),
        ({"queue": "grün"}, ConfigurationError, "expected a queue name"),
        ({"queue": 5}, ConfigurationError, "expected a queue name"),
        ({"priority": 2**31}, ConfigurationError, "expected priority"),
        ({"priority": 1.5}, ConfigurationError, "expected priority"),
        ({"priority": True}, ConfigurationError, "expected priority"),
        ({"id": "no-uuid"}, ConfigurationError, "expected id to be a UUID"),
        ({"id": 5}, ConfigurationError, "expected id to be a UUID"),
        ({"tags": "one"}, TypeError, "list of texts"),
        ({"tags": [""]}, ConfigurationError, "expected a tag"),
        ({"tags": ["a"] * 21}, ConfigurationError, "at most 20 tags"),
        ({"unknown": 1}, TypeError, "no option 'unknown'"),
        ({"connection": "postgresql://me:secret@host/db"}, TypeError, "no connection that Sidework can use"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_with_its_value(
    lite: App, options: Any, error: type[Exception], message: str
) -> None:
    add = lite.task(name="add")(_add)
    with pytest.raises(error, match=message) as caught:
        add.using(**options).enqueue(1, 2)
    assert "secret" not in str(caught.value)
    assert lite.jobs.count() == 0


def test_names_compare_byte_for_byte(app: App) -> None:
    for queue in ("mail", "Mail", "q" * 100, "a._:/-9"):
        app.enqueue("Task", queue=queue)
        app.enqueue("task", queue=queue)
    assert sorted(queue.name for queue in app.queues.list()) == sorted(["mail", "Mail", "q" * 100, "a._:/-9"])
    assert app.queues.size("mail") == 2
    assert app.jobs.count(task="Task") == 4
    assert app.jobs.count(task="Task", queue="Mail") == 1


def test_an_id_given_again_is_the_same_job_whatever_became_of_it(app: App) -> None:
    add = app.task(name="add")(_add)
    id = uuid.uuid4()
    first = add.using(id=id).enqueue(x=1, y=2)
    assert first.id == id
    again = add.using(id=str(id), queue="other", priority=9).enqueue(y=2, x=1)
    assert (again.id, again.queue, again.priority, again.state) == (id, "default", 0, "waiting")
    assert app.jobs.count() == 1
    done = app.work_once()
    assert done is not None
    assert done.job.result == 3
    assert add.using(id=id).enqueue(x=1, y=2).state == "done"
    assert app.work_once() is None
    app.jobs.delete(id)
    assert add.using(id=id).enqueue(x=5, y=5).state == "waiting"


def test_an_id_of_another_call_is_a_conflict(app: App) -> None:
    add = app.task(name="add")(_add)
    id = uuid.uuid4()
    add.using(id=id).enqueue(1, 2)
    with pytest.raises(IdConflict, match=str(id)):
        add.using(id=id).enqueue(1, 3)
    with pytest.raises(IdConflict, match=str(id)):
        app.enqueue("other", args=[1, 2], id=id)
    assert app.jobs.get(id).args == (1, 2)


def test_options_can_be_given_in_steps_and_the_last_one_counts(lite: App) -> None:
    add = lite.task(name="add")(_add)
    base = add.using(queue="a", priority=1, tags=["x"])
    assert base.using(queue="b").job(1, 2).queue == "b"
    assert base.using(queue="b").job(1, 2).priority == 1
    assert base.job(1, 2).queue == "a"
    assert isinstance(add.job(1, 2), NewJob)
    with pytest.raises(ConfigurationError, match="belongs to enqueue_many"):
        add.using(connection=object()).job(1, 2)


def test_a_task_that_was_removed_is_not_run(lite: App) -> None:
    add = lite.task(name="add")(_add)
    job = add.enqueue(1, 2)
    lite.tasks.remove("add")
    assert lite.work_once() is None
    with pytest.raises(UnknownTask, match="no task is named 'add' here; registered: none"):
        lite.tasks["add"]
    assert lite.jobs.get(job.id).state == "waiting"


def test_a_test_clock_rules_what_is_due(url: str) -> None:
    moment = [datetime(2030, 1, 1, tzinfo=UTC)]
    with App(url, clock=lambda: moment[0]) as app:
        add = app.task(name="add")(_add)
        job = add.using(delay=60).enqueue(1, 2)
        assert app.jobs.get(job.id).run_at == datetime(2030, 1, 1, 0, 1, tzinfo=UTC)
        assert app.work_once() is None
        moment[0] += timedelta(seconds=61)
        ack = app.work_once()
        assert ack is not None
        assert app.jobs.get(job.id).started_at == moment[0]


def test_a_clock_that_answers_naive_times_is_refused(lite_url: str) -> None:
    naive = datetime(2030, 1, 1)  # noqa: DTZ001
    with App(lite_url, clock=lambda: naive) as app, pytest.raises(ConfigurationError, match="clock"):
        app.enqueue("add")


def timeless(job: Job) -> Job:
    """The job without the times that a database may set when it stores it."""
    return replace(job, run_at=None, enqueued_at=None)


def _add(x: int, y: int) -> int:
    return x + y
