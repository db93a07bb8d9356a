"""`enqueue`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sidework import App
from tests.cli.conftest import Cli


def test_a_list_is_positional_arguments(app: App, cli: Cli) -> None:
    id = cli.ok("enqueue", "add", "[1, 2]").strip()
    assert app.drain()[0].job.result == 3
    assert app.jobs.get(id).args == (1, 2)


def test_an_object_is_named_arguments(app: App, cli: Cli) -> None:
    cli.ok("enqueue", "add", '{"x": 5, "y": 6}')
    assert app.drain()[0].job.result == 11


def test_no_json_is_no_arguments(app: App, cli: Cli) -> None:
    id = cli.ok("enqueue", "anything").strip()
    assert (app.jobs.get(id).args, app.jobs.get(id).kwargs) == ((), {})


def test_every_option_reaches_the_job(app: App, cli: Cli) -> None:
    id = str(uuid4())
    options = ("--queue", "mail", "--priority", "-7", "--id", id, "--tag", "a", "--tag", "b")
    job = cli.json("enqueue", "add", "[1]", *options, "--run-at", "2099-01-31T14:00+01:00")
    assert (job["id"], job["queue"], job["priority"], job["tags"]) == (id, "mail", -7, ["a", "b"])
    assert app.jobs.get(id).run_at == datetime(2099, 1, 31, 13, tzinfo=UTC)


def test_a_delay_counts_from_now(app: App, cli: Cli) -> None:
    job = app.jobs.get(cli.ok("enqueue", "add", "[1]", "--delay", "2h").strip())
    assert job.run_at is not None
    assert job.enqueued_at is not None
    assert (job.run_at - job.enqueued_at).total_seconds() == pytest.approx(7200, abs=1)


def test_the_same_id_again_is_the_same_job(app: App, cli: Cli) -> None:
    id = str(uuid4())
    cli.ok("enqueue", "add", "[1]", "--id", id)
    cli.ok("enqueue", "add", "[1]", "--id", id)
    assert app.jobs.count() == 1
    result = cli("enqueue", "add", "[2]", "--id", id)
    assert result.exit_code == 1
    assert id in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "[1"), "expected JSON, got '[1'"),
        (("add", "1"), "expected a list such as"),
        (("add", "[1]", "--delay", "soon"), "got 'soon'"),
        (("add", "[1]", "--run-at", "tomorrow"), "got 'tomorrow'"),
        (("add", "[1]", "--id", "7"), "not a valid UUID"),
        ((), "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_exits_with_2(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    result = cli("enqueue", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_cannot_be_is_said_and_exits_with_1(cli: Cli) -> None:
    result = cli("enqueue", "add", "[1]", "--delay", "1", "--run-at", "2099-01-01")
    assert result.exit_code == 1
    assert "give run_at or delay, not both" in result.stderr
    assert cli("enqueue", "add", "[NaN]").exit_code == 1


def test_with_the_app_arguments_are_checked_against_the_signature(module: Callable[[str], str]) -> None:
    code = "from sidework import App\napp = App('sqlite:///a.db')\n@app.task(name='add')\ndef add(x: int) -> None: ..."
    cli = Cli("--app", module(code))
    cli.ok("migrate")
    assert cli("enqueue", "add", "[1, 2, 3]").exit_code == 2
    assert cli("enqueue", "add", "[1]").exit_code == 0
