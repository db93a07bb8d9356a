"""`queues` and `workers`."""

from __future__ import annotations

from sidework import App
from tests.cli.conftest import Cli


def test_queues_are_listed_without_a_subcommand_too(app: App, cli: Cli) -> None:
    app.enqueue("add", [1], queue="mail")
    expected = [{"name": "mail", "paused": False, "waiting": 1, "running": 0}]
    assert cli.json("queues") == cli.json("queues", "list") == expected
    assert cli.ok("queues").splitlines()[1].split() == ["mail", "runs", "1", "0"]


def test_a_paused_queue_runs_nothing_until_it_is_resumed(app: App, cli: Cli) -> None:
    app.enqueue("add", [1], queue="mail")
    assert cli.ok("queues", "pause", "mail", "sms") == "Queue mail is paused.\nQueue sms is paused.\n"
    assert app.work_once() is None
    assert [queue["paused"] for queue in cli.json("queues")] == [True, True]
    assert cli.ok("queues", "resume", "mail") == "Queue mail runs.\n"
    assert app.work_once() is not None


def test_no_queue_is_said(cli: Cli) -> None:
    assert cli.ok("queues") == "No queue has settings or unfinished jobs.\n"
    assert cli.json("queues") == []


def test_a_wrong_name_is_said(cli: Cli) -> None:
    result = cli("queues", "pause", "no good")
    assert result.exit_code == 1
    assert "got 'no good'" in result.stderr


def test_pausing_needs_a_name(cli: Cli) -> None:
    assert cli("queues", "pause").exit_code == 2


def test_no_worker_is_said(cli: Cli) -> None:
    assert cli.ok("workers") == "No worker is running.\n"
    assert cli.json("workers") == []
