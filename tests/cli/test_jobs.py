"""`jobs`: list, show, retry, cancel, delete and purge."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from sidework import App
from tests.cli.conftest import Cli

JOB_FIELDS = {
    "id", "task", "queue", "args", "kwargs", "priority", "state", "attempt", "max_attempts", "crashes", "run_at",
    "enqueued_at", "started_at", "finished_at", "worker", "errors", "result", "progress", "tags",
}  # fmt: skip


def test_jobs_are_listed_newest_first(app: App, cli: Cli) -> None:
    first, second = app.enqueue("add", [1]), app.enqueue("fail", ["x"])
    lines = cli.ok("jobs", "list").splitlines()
    assert lines[0].split()[:4] == ["id", "state", "task", "queue"]
    assert [line.split()[:3] for line in lines[1:]] == [
        [str(second.id), "waiting", "fail"],
        [str(first.id), "waiting", "add"],
    ]


def test_no_jobs_are_said(cli: Cli) -> None:
    assert cli.ok("jobs", "list") == "No such jobs.\n"


def test_jobs_as_json_have_every_field(app: App, cli: Cli) -> None:
    app.enqueue("add", [1], {"y": 2}, tags=["a"])
    app.drain()
    [job] = cli.json("jobs", "list")
    assert set(job) == JOB_FIELDS
    assert (job["args"], job["kwargs"], job["tags"]) == ([1], {"y": 2}, ["a"])
    assert (job["state"], job["result"], job["attempt"]) == ("done", 3, 1)
    assert job["finished_at"].endswith("+00:00")


@pytest.mark.parametrize(
    "options",
    [("--state", "waiting"), ("--queue", "mail"), ("--task", "add"), ("--tag", "red")],
    ids=lambda options: options[0],
)
def test_filters_select_jobs(app: App, cli: Cli, options: tuple[str, str]) -> None:
    app.enqueue("fail", ["x"])
    app.drain()
    wanted = app.enqueue("add", [1], queue="mail", tags=["red"])
    assert [job["id"] for job in cli.json("jobs", "list", *options)] == [str(wanted.id)]


def test_ids_select_jobs(app: App, cli: Cli) -> None:
    jobs = [app.enqueue("add", [n]) for n in range(3)]
    listed = cli.json("jobs", "list", str(jobs[2].id), str(jobs[0].id))
    assert {job["id"] for job in listed} == {str(jobs[0].id), str(jobs[2].id)}


def test_pages_follow_each_other(app: App, cli: Cli) -> None:
    ids = [str(app.enqueue("add", [n]).id) for n in range(3)]
    page = cli("jobs", "list", "--limit", "2")
    assert f"--after {ids[1]}" in page.stderr
    assert [job["id"] for job in cli.json("jobs", "list", "--limit", "2", "--after", ids[1])] == [ids[0]]


def test_a_failed_job_is_shown_with_its_traceback(app: App, cli: Cli) -> None:
    job = app.enqueue("fail", ["out of ink"])
    app.drain()
    shown = cli.ok("jobs", "show", str(job.id))
    assert "state        failed\n" in shown
    assert "arguments    ('out of ink')\n" in shown
    assert "RuntimeError: out of ink" in shown
    assert "raise RuntimeError(message)" in shown


def test_what_a_job_stored_cannot_steer_the_terminal(app: App, cli: Cli) -> None:
    job = app.enqueue("fail", ["\x1b[2J [bold]"])
    app.drain()
    for command in (("jobs", "list"), ("jobs", "show", str(job.id))):
        shown = cli.ok(*command)
        assert "\x1b" not in shown
        assert "\\x1b[2J [bold]" in shown


def test_show_says_why_a_job_waits(app: App, cli: Cli) -> None:
    later = app.enqueue("add", [1], delay=timedelta(minutes=5))
    paused = app.enqueue("add", [1], queue="mail")
    app.queues.pause("mail")
    alone = app.enqueue("add", [1])
    shown = [cli.json("jobs", "show", str(job.id))["why_waiting"] for job in (later, paused, alone)]
    assert shown == ["due in 5 min", "queue mail is paused", "no worker is running"]
    assert "why waiting  no worker is running\n" in cli.ok("jobs", "show", str(alone.id))


def test_a_finished_job_waits_for_nothing(app: App, cli: Cli) -> None:
    job = app.enqueue("add", [1])
    app.drain()
    shown = cli.json("jobs", "show", str(job.id))
    assert set(shown) == {*JOB_FIELDS, "why_waiting"}
    assert shown["why_waiting"] is None
    assert "why waiting" not in cli.ok("jobs", "show", str(job.id))


def test_a_job_that_is_not_kept_is_said(cli: Cli) -> None:
    id = uuid4()
    result = cli("jobs", "show", str(id))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: no job {id} is kept: it never was, was deleted, or retention removed it\n"


def test_the_traceback_of_an_error_is_shown_on_request(url: str, app: App) -> None:
    result = Cli("--url", url, "--traceback")("jobs", "show", str(uuid4()))
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "JobNotFound"


def test_failed_jobs_are_retried(app: App, cli: Cli) -> None:
    job = app.enqueue("fail", ["x"])
    app.drain()
    assert cli.ok("jobs", "retry", "--state", "failed").startswith("1 job will run again\n")
    assert app.jobs.get(job.id).state == "waiting"


def test_waiting_jobs_are_cancelled(app: App, cli: Cli) -> None:
    jobs = [app.enqueue("add", [n]) for n in range(2)]
    assert [job["state"] for job in cli.json("jobs", "cancel", *(str(job.id) for job in jobs))] == ["cancelled"] * 2
    assert app.jobs.count(state="cancelled") == 2


def test_jobs_are_deleted(app: App, cli: Cli) -> None:
    app.enqueue("add", [1], tags=["old"])
    app.enqueue("add", [2])
    assert cli.ok("jobs", "delete", "--tag", "old").startswith("1 job deleted\n")
    assert app.jobs.count() == 1


@pytest.mark.parametrize("command", ["retry", "cancel", "delete"])
def test_a_change_of_every_job_by_oversight_is_refused(app: App, cli: Cli, command: str) -> None:
    app.enqueue("add", [1])
    result = cli("jobs", command)
    assert result.exit_code == 1
    assert "say which jobs" in result.stderr
    assert app.jobs.count(state="waiting") == 1


def test_old_jobs_are_purged(app: App, cli: Cli) -> None:
    app.enqueue("add", [1])
    app.enqueue("fail", ["x"])
    app.drain()
    assert cli.json("jobs", "purge", "--older-than", "1h") == {"removed": 0}
    assert cli.ok("jobs", "purge", "--older-than", "0", "--state", "done") == "1 job removed\n"
    assert [job.task for job in app.jobs.find()] == ["fail"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--state", "finished"), "'finished' is not one of"),
        (("list", "not-an-id"), "not a valid UUID"),
        (("list", "--limit", "0"), "not in the range"),
        (("purge",), "Missing option '--older-than'"),
        (("purge", "--older-than", "7 moons"), "got '7 moons'"),
        (("purge", "--older-than", "1", "--state", "waiting"), "'waiting' is not one of"),
        (("frobnicate",), "No such command"),
    ],
)
def test_wrong_usage_exits_with_2(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    result = cli("jobs", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
