"""`worker --processes`: the processes start, stop and end together, and one that dies is replaced."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from sidework import App
from sidework.cli.processes import keep_processes
from tests.cli.conftest import DEADLINE, SHOP, Program, StartProgram


@pytest.fixture
def url(sqlite_url: str) -> str:
    """One kind of database: processes are the same on all."""
    return sqlite_url


def test_several_processes_do_not_start_in_a_loop_without_tables(url: str, tmp_path: Path, start: StartProgram) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    program = start("--app", "shop:app", "worker", "--processes", "3", SIDEWORK_URL=url)
    assert program.ended() == 1
    assert program.log.read_text().count("the Sidework tables are missing") == 1


def test_several_processes_say_a_wrong_app_once(start: StartProgram) -> None:
    program = start("--app", "no_such_shop", "worker", "--processes", "2")
    assert program.ended() == 2
    assert program.log.read_text().count("there is no module 'no_such_shop'") == 1


def test_a_process_that_the_system_does_not_start_ends_the_first_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        keep_processes([str(tmp_path / "missing")], 2, patience=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_several_processes_stop_gracefully_with_the_first_one(
    shop: App, url: str, start: StartProgram, tmp_path: Path, number: signal.Signals
) -> None:
    program, pids = start_two(shop, url, start)
    held = shop.enqueue("hold", [1.0])
    program.wait_for((tmp_path / "held").exists, "the start of a job")
    # As Ctrl-C in a terminal does: everybody is told, and that is not being told twice.
    if number is signal.SIGINT:
        for pid in pids:
            os.kill(pid, number)
    assert program.stop(number) == 0
    assert shop.jobs.get(held.id).result == "slept"
    assert_gone(program, pids)


def test_told_twice_several_processes_give_their_jobs_back(
    shop: App, url: str, start: StartProgram, tmp_path: Path
) -> None:
    program, pids = start_two(shop, url, start, "--shutdown-timeout", "1h")
    job = shop.enqueue("deaf")
    program.wait_for((tmp_path / "held").exists, "the start of a job")
    program.process.send_signal(signal.SIGTERM)
    assert program.stop(signal.SIGINT) == 0
    assert (shop.jobs.get(job.id).state, shop.jobs.get(job.id).attempt) == ("waiting", 0)
    assert_gone(program, pids)


def test_several_processes_stay_in_one_process_group(shop: App, url: str, start: StartProgram) -> None:
    program, pids = start_two(shop, url, start)
    assert {os.getpgid(pid) for pid in pids} == {os.getpgid(program.process.pid)}


def test_the_processes_end_when_the_first_one_is_killed(shop: App, url: str, start: StartProgram) -> None:
    program, pids = start_two(shop, url, start)
    assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert_gone(program, pids)
    # They stopped in order: none is left registered.
    assert shop.workers.list() == []


def test_a_process_that_is_killed_is_replaced(shop: App, url: str, start: StartProgram) -> None:
    program, pids = start_two(shop, url, start)
    killed = min(pids)
    os.kill(killed, signal.SIGKILL)

    def replacement() -> set[int]:
        return {worker.pid for worker in shop.workers.list()} - pids

    [new] = program.wait_for(replacement, "the replacement")
    assert f"(process id {killed}) was ended by SIGKILL: a new one follows in 1 s" in program.log.read_text()
    assert program.stop() == 0
    assert_gone(program, {*pids, new})


def start_two(shop: App, url: str, start: StartProgram, *options: str) -> tuple[Program, set[int]]:
    """A worker of two processes that both run, and their ids."""
    program = start("--app", "shop:app", "worker", "--processes", "2", *options, SIDEWORK_URL=url)
    program.wait_for(lambda: len(shop.workers.list()) == 2, "the start of two processes")
    pids = {worker.pid for worker in shop.workers.list()}
    assert program.process.pid not in pids
    return program, pids


def assert_gone(program: Program, pids: set[int]) -> None:
    """Wait until the processes have ended; a killed parent leaves it to the system to reap them."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    alive = [one for one in psutil.wait_procs(processes, timeout=DEADLINE)[1] if one.status() != psutil.STATUS_ZOMBIE]
    assert not alive, program.log.read_text()
