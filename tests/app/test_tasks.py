"""Declaring tasks: their names, where they come from, and what is refused."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidework import App, ConfigurationError, Context, Job, Retry, TaskSet, UnknownTask
from tests.worker.helpers import DEADLINE


def test_a_task_is_still_the_function(lite: App) -> None:
    @lite.task
    def log_sum(x: int, y: int = 1) -> int:
        """Add."""
        return x + y

    assert log_sum(1, 2) == 3
    assert log_sum.__doc__ == "Add."
    assert log_sum.name == f"{__name__}.test_a_task_is_still_the_function.<locals>.log_sum"
    assert repr(log_sum) == f"<Task {log_sum.name}>"


def test_tasks_are_listed_and_removed(lite: App) -> None:
    one = lite.task(name="one")(print)
    two = lite.task(name="two")(repr)
    assert list(lite.tasks) == [one, two]
    assert (lite.tasks.names(), len(lite.tasks)) == (["one", "two"], 2)
    assert lite.tasks["one"] is one
    assert "one" in lite.tasks
    assert two in lite.tasks
    lite.tasks.remove("one")
    assert lite.tasks.names() == ["two"]
    with pytest.raises(UnknownTask, match="no task is named 'one' here; registered: two"):
        lite.tasks.remove("one")
    lite.task(name="one")(ascii)


def test_a_name_is_taken_once(lite: App) -> None:
    lite.task(name="same")(print)
    lite.task(name="same")(print)
    with pytest.raises(ConfigurationError, match="a task named 'same' is registered already"):
        lite.task(name="same")(repr)
    assert lite.tasks["same"].spec.function is print


def test_a_task_set_is_declared_apart_and_included(app: App) -> None:
    tasks = TaskSet()

    @tasks.task(name="apart", queue="q")
    def apart(x: int) -> int:
        return x + 1

    assert apart(1) == 2
    with pytest.raises(ConfigurationError, match="belongs to a TaskSet that no App includes yet"):
        apart.enqueue(1)
    app.include(tasks)
    app.include(tasks)
    apart.enqueue(1)
    [ack] = app.drain()
    assert (ack.job.result, ack.job.queue) == (2, "q")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"queue": "a b"}, ConfigurationError, "expected a queue name"),
        ({"name": "a b"}, ConfigurationError, "expected a task name"),
        ({"priority": "high"}, ConfigurationError, "expected priority"),
        ({"retry": 5}, TypeError, "expected retry to be Retry"),
        ({"max_crashes": 0}, ConfigurationError, "expected max_crashes"),
        ({"timeout": 0}, ConfigurationError, "timeout"),
        ({"delivery": "exactly_once"}, ConfigurationError, "expected delivery to be one of 'at_least_once'"),
        ({"executor": "async"}, ConfigurationError, "expected executor to be 'thread' or 'process'"),
        ({"executor": "process", "delivery": "transactional"}, ConfigurationError, "cannot be transactional"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused(lite: App, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lite.task(**options)(lambda: None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(max_attempts=0),
        lambda: Retry(delays=[-1]),
        lambda: Retry.exponential(jitter=2),
        lambda: Retry.exponential(base=float("inf")),
    ],
)
def test_a_retry_policy_that_cannot_be_is_refused(make: Callable[[], Retry]) -> None:
    with pytest.raises(ConfigurationError):
        make()


def test_what_has_no_name_or_is_no_function_is_refused(lite: App) -> None:
    class Callme:
        def __call__(self) -> None: ...

    with pytest.raises(ConfigurationError, match="has no name; give the task one"):
        lite.task(Callme())
    assert lite.task(name="callme")(Callme()).name == "callme"
    partial = lite.task(name="partial")(functools.partial(_only_async, x=1))
    assert partial.spec.takes_context
    partial.enqueue()
    assert [ack.job.result for ack in lite.drain()] == [1]
    with pytest.raises((TypeError, ConfigurationError)):
        lite.task(5)  # type: ignore[call-overload]


def test_an_option_that_there_is_not_is_named(lite: App) -> None:
    for declare in (lite.task, TaskSet().task):
        with pytest.raises(TypeError, match=r"task\(\) has no option 'retries'; it takes name, queue"):
            declare(retries=3)  # type: ignore[call-overload]


@pytest.mark.parametrize("hook", ["middleware", "on_failure", "subscribe"])
def test_a_hook_that_is_no_function_is_refused_at_once(lite: App, hook: str) -> None:
    with pytest.raises(TypeError, match=f"expected a function for {hook}, got 3"):
        getattr(lite, hook)(3)


def test_methods_of_objects_and_context_only_handlers_are_tasks(app: App) -> None:
    class Shop:
        def sell(self, ctx: Context, price: int) -> list[object]:
            return [price, ctx.job.attempt]

    sell = app.task(name="sell")(Shop().sell)
    only = app.task(name="only")(_only)
    app.enqueue(sell, [5])
    only.enqueue()
    assert [ack.job.result for ack in app.drain()] == [[5, 1], "only"]


async def _only_async(ctx: Context, x: int) -> int:
    return x * ctx.job.attempt


def _only(ctx: Context) -> str:
    return ctx.job.task


def test_imports_are_made_when_jobs_are_run(lite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_of_test.py").write_text(
        "from sidework import TaskSet\ntasks = TaskSet()\n@tasks.task(name='sell')\ndef sell(x): return x * 2\n"
        "import shop_app_of_test\nshop_app_of_test.app.include(tasks)\n"
    )
    (tmp_path / "shop_app_of_test.py").write_text(
        f"from sidework import App\napp = App({lite_url!r}, imports=['shop_of_test'])\n"
    )
    import shop_app_of_test  # type: ignore[import-not-found]

    app: App = shop_app_of_test.app
    job = app.enqueue("sell", [4])
    assert "shop_of_test" not in sys.modules
    ack = app.work_once()
    app.close()
    assert ack is not None
    assert (ack.job.id, ack.job.result) == (job.id, 8)
    with App(lite_url, imports="no_such_module_of_test") as broken, pytest.raises(ModuleNotFoundError):
        broken.work_once()


def test_tasks_of_a_script_are_run_by_a_worker_that_imports_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "report_script.py").write_text(
        textwrap.dedent(
            f"""
            import dataclasses, enum
            from sidework import App

            app = App({url!r})

            class Colour(enum.Enum):
                RED = 1

            @dataclasses.dataclass
            class Order:
                id: int

            @app.task
            def report(order: Order, colour: Colour) -> str:
                assert type(order) is Order and colour is Colour.RED
                return __name__

            if __name__ == "__main__":
                job = report.enqueue(Order(7), colour=Colour.RED)
                print(job.task, job.id)
                app.close()
            """
        )
    )
    name, id = _python(tmp_path, "report_script.py").split()
    assert name == "report_script.report"
    ran = _python(
        tmp_path,
        "-c",
        "import report_script as s; a = s.app.work_once(); print(a.job.id, a.job.result, a.exception); s.app.close()",
    )
    assert ran.split() == [id, "report_script", "None"]
    again = _python(tmp_path, "-m", "report_script")
    assert again.split()[0] == "report_script.report"


def test_a_session_that_no_worker_can_import_has_to_name_its_tasks(tmp_path: Path, lite_url: str) -> None:
    code = f"""
from sidework import App, ConfigurationError
app = App({lite_url!r})
def f(): pass
try:
    app.task(f)
except ConfigurationError as error:
    print(error)
print(app.task(name="f")(f).name)
"""
    refused, name = _python(tmp_path, "-c", code).splitlines()
    assert "is declared in a script or session that no worker can import" in refused
    assert name == "f"


def _python(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    ).stdout


class Shouting:
    """A codec of an application's own."""

    def encode(self, value: object, *, what: str = "value") -> str:
        return json.dumps(value).upper()

    def decode(self, text: str, annotation: object = object) -> object:
        return json.loads(text.lower())


def test_a_codec_of_the_applications_own_is_used_for_arguments_and_results(url: str) -> None:
    with App(url, codec=Shouting()) as app:

        @app.task(name="echo")
        def echo(text: str) -> str:
            return text + "!"

        job = echo.enqueue("hello")
        [ack] = app.drain()
        assert ack.job.result == "hello!"
        assert app.jobs.get(job.id).result == "hello!"
        with App(url) as other:
            assert other.jobs.get(job.id).result == "HELLO!"


def test_on_failure_can_be_assigned_or_decorate(app: App) -> None:
    heard: list[str] = []

    def note(job: Job, _exception: BaseException) -> None:
        heard.append(job.task)

    @app.task(name="breaks", retry=None)
    def breaks() -> None:
        raise ValueError("no")

    app.on_failure = note
    breaks.enqueue()
    app.drain()
    assert app.on_failure(note) is note
    breaks.enqueue()
    app.drain()
    assert heard == ["breaks", "breaks"]


def test_jobs_are_found_by_their_task_or_its_name(app: App) -> None:
    @app.task(name="one")
    def one() -> None: ...

    job = one.enqueue()
    assert app.jobs.find(task=one) == app.jobs.find(task="one") == [app.jobs.get(job.id)]


def test_a_task_that_its_set_declares_later_is_registered_too(lite: App) -> None:
    tasks = TaskSet()
    lite.include(tasks)

    @tasks.task(name="late")
    def late() -> int:
        return 1

    late.enqueue()
    [ack] = lite.drain()
    assert (ack.job.task, ack.job.result) == ("late", 1)
