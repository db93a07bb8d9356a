"""`worker` as a program: it runs jobs, stops gracefully, and says what keeps it from starting."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from sidework import App
from tests.cli.conftest import SHOP, Cli, StartProgram


def test_a_worker_runs_jobs_and_stops_gracefully_on_sigterm(
    shop: App, url: str, start: StartProgram, tmp_path: Path
) -> None:
    program = start("--app", "shop:app", "worker", SIDEWORK_URL=url)
    done, held = shop.enqueue("write", ["a"]), shop.enqueue("hold", [1.0])
    program.wait_for((tmp_path / "held").exists, "the start of a job")
    assert program.stop() == 0
    assert [shop.jobs.get(job.id).result for job in (done, held)] == [program.process.pid, "slept"]
    assert shop.workers.list() == []


def test_a_worker_stops_on_sigint_too(shop: App, url: str, start: StartProgram) -> None:
    program = start("worker", SIDEWORK_APP="shop", SIDEWORK_URL=url)
    program.wait_for(shop.workers.list, "the start of the worker")
    assert program.stop(signal.SIGINT) == 0


def test_a_job_that_does_not_finish_in_time_is_asked_to_stop(
    shop: App, url: str, start: StartProgram, tmp_path: Path
) -> None:
    job = shop.enqueue("hold", [60])
    program = start("--app", "shop:app", "worker", "--shutdown-timeout", "0.1", SIDEWORK_URL=url)
    program.wait_for((tmp_path / "held").exists, "the start of the job")
    assert program.stop() == 0
    assert shop.jobs.get(job.id).result == "stopped"


def test_a_worker_takes_only_the_queues_that_it_is_given(
    shop: App, url: str, start: StartProgram, tmp_path: Path
) -> None:
    other, mail = shop.enqueue("write", ["b"], queue="other"), shop.enqueue("write", ["a"], queue="mail")
    program = start("--app", "shop:app", "worker", "--queue", "mail", "--queue", "sms", SIDEWORK_URL=url)
    shop.jobs.join(mail.id, timeout=30)
    [worker] = shop.workers.list()
    assert (worker.queues, worker.pid, worker.concurrency) == (("mail", "sms"), program.process.pid, 10)
    assert shop.jobs.get(other.id).state == "waiting"
    assert "why waiting  no live worker that knows the task serves queue other" in Cli("--url", url).ok(
        "jobs", "show", str(other.id)
    )


def test_queues_can_have_slots_of_their_own(shop: App, url: str, start: StartProgram) -> None:
    program = start("--app", "shop:app", "worker", "--queue", "mail=3", "--queue", "sms=4", SIDEWORK_URL=url)
    [worker] = program.wait_for(shop.workers.list, "the start of the worker")
    assert (worker.queues, worker.concurrency) == (("mail", "sms"), 7)


def test_the_running_worker_is_listed(shop: App, url: str, start: StartProgram) -> None:
    program = start("--app", "shop:app", "worker", "--concurrency", "3", SIDEWORK_URL=url)
    program.wait_for(shop.workers.list, "the start of the worker")
    cli = Cli("--url", url)
    [worker] = cli.json("workers")
    assert worker["live"] is True
    assert (worker["pid"], worker["concurrency"], worker["queues"]) == (program.process.pid, 3, None)
    assert sorted(worker["tasks"]) == ["deaf", "hold", "write"]
    assert f"{program.process.pid}@" in cli.ok("workers")
    unknown = shop.enqueue("no.such.task")
    assert cli.json("jobs", "show", str(unknown.id))["why_waiting"] == "no live worker knows the task no.such.task"


def test_it_logs_lines_with_times_or_json_objects(shop: App, url: str, start: StartProgram) -> None:
    for options in ((), ("--log-json",)):
        program = start("--app", "shop:app", "worker", *options, SIDEWORK_URL=url)
        job = shop.enqueue("write", ["a"])
        shop.jobs.join(job.id, timeout=30)
        assert program.stop() == 0
        lines = [line for line in program.log.read_text().splitlines() if str(job.id) in line]
        if options:
            entries = [json.loads(line) for line in lines]
            assert [(entry["event"], entry["level"]) for entry in entries] == [("JobDone", "INFO")]
            assert {"time", "seconds", "message", "logger", "process"} <= set(entries[0])
        else:
            assert len(lines) == 1
            assert f" {program.process.pid} INFO    JobDone write {job.id}" in lines[0]


def test_missing_tables_keep_it_from_starting(url: str, tmp_path: Path, start: StartProgram) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    program = start("--app", "shop:app", "worker", SIDEWORK_URL=url)
    assert program.ended() == 1
    assert "the Sidework tables are missing; run `sidework migrate`" in program.log.read_text()
    assert "Traceback" not in program.log.read_text()
