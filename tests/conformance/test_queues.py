"""Queues: their settings and numbers, and the names of tasks that wait."""

from __future__ import annotations

from sidework.core.store import QueueRow
from tests.conformance.bench import Bench
from tests.conformance.builders import done, moment, new_job, new_jobs, retried


def test_queues_are_listed_by_name_with_their_numbers(bench: Bench) -> None:
    bench.insert(*new_jobs(3, queue="b"), new_job(queue="a", run_at=moment(60)), *new_jobs(2, queue="Z"))
    bench.claim(1, queues=["b"])
    bench.settle(*(done(row) for row in bench.claim(2, queues=["Z"])))
    assert _queues(bench) == [_row("a", 1), _row("b", 2, running=1)]


def test_a_queue_with_settings_is_listed_when_it_is_empty(bench: Bench) -> None:
    bench.pause("m")
    bench.insert(new_job(queue="a"), new_job(queue="z"))
    assert _queues(bench) == [_row("a", 1), _row("m", 0, paused=True), _row("z", 1)]


def test_a_pause_is_stored_and_taken_back(bench: Bench) -> None:
    bench.insert(new_job(queue="a"))
    for paused in (True, True, False, False, True):
        bench.pause("a", paused=paused)
        assert _queues(bench) == [_row("a", 1, paused=paused)]


def test_queues_that_differ_in_case_are_two(bench: Bench) -> None:
    bench.insert(new_job(queue="A"), *new_jobs(2, queue="a"))
    bench.pause("a")
    assert _queues(bench) == [_row("A", 1), _row("a", 2, paused=True)]


def test_no_queues_are_listed_where_nothing_is(bench: Bench) -> None:
    assert _queues(bench) == []


def test_the_tasks_of_waiting_jobs_are_listed_once_each_by_name(bench: Bench) -> None:
    names = ["b", "A", "a", "a.", "é", "e", "😀", "\uffff"]
    bench.insert(*(new_job(name) for name in names for _ in range(2)), new_job("later", run_at=moment(60)))
    bench.insert(new_job("running"), new_job("done"), new_job("again"))
    bench.claim(1, tasks=("running",))
    bench.settle(done(bench.claim_one(tasks=("done",))), retried(bench.claim_one(tasks=("again",)), delay=9))
    assert bench.run(bench.store.list_task_names) == sorted([*names, "later", "again"])


def _queues(bench: Bench) -> list[QueueRow]:
    return bench.run(bench.store.list_queues)


def _row(name: str, waiting: int, *, running: int = 0, paused: bool = False) -> QueueRow:
    return QueueRow(name, paused, waiting, running)
