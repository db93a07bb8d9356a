"""Looking for jobs: each filter, all of them together, pages, and counts."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from uuid import UUID

from sidework.core.job import JobState
from sidework.core.store import JobCount, JobFilter
from tests.conformance.bench import Bench
from tests.conformance.builders import cancelled, done, failed, ids, new_id, new_job, new_jobs, retried

TAGS = ("red", "red light", "Red", "r%", "r_d", 'quo"ted', "back\\slash", "apo'strophe", "é", "a,b", "[1]", "😀")


def test_jobs_are_found_newest_first_whether_they_are_finished_or_not(bench: Bench) -> None:
    jobs = new_jobs(6)
    bench.insert(*jobs)
    first, second, third = bench.claim(3)
    bench.settle(done(second), failed(third))
    assert ids(bench.find()) == ids(jobs)[::-1]
    assert ids([first]) == ids(jobs)[:1]


def test_nothing_is_found_where_nothing_is(bench: Bench) -> None:
    assert bench.find() == []
    assert bench.find(ids=(new_id(),)) == []


def test_jobs_are_found_by_id(bench: Bench) -> None:
    jobs = new_jobs(4)
    bench.insert(*jobs)
    bench.settle(done(bench.claim_one()))
    assert ids(bench.find(ids=(jobs[0].id, jobs[3].id, new_id()))) == [jobs[3].id, jobs[0].id]
    assert bench.find(ids=()) == []


def test_very_many_ids_can_be_asked_for(bench: Bench) -> None:
    jobs = new_jobs(2500)
    bench.insert(*jobs)
    assert len(bench.find(ids=tuple(ids(jobs)), limit=None)) == 2500


def test_jobs_are_found_by_state(bench: Bench) -> None:
    _one_of_each_state(bench)
    for number in range(len(JobState) + 1):
        for asked in combinations(JobState, number):
            assert {row.state for row in bench.find(states=asked)} == set(asked)
            assert {count.state for count in _counts(bench, states=asked)} == set(asked)
    assert {row.state for row in bench.find()} == set(JobState)


def test_jobs_are_found_by_queue_and_task(bench: Bench) -> None:
    rows = bench.insert(*(new_job(task, queue) for task in "xy" for queue in "ab"))
    bench.settle(done(bench.claim_one(tasks=("x",), queues=["b"])))
    assert ids(bench.find(queue="b")) == [rows[3].id, rows[1].id]
    assert ids(bench.find(task="x")) == [rows[1].id, rows[0].id]
    assert ids(bench.find(task="x", queue="b")) == [rows[1].id]
    assert bench.find(task="x", queue="c") == []


def test_a_tag_is_found_exactly(bench: Bench) -> None:
    rows = {tag: bench.insert(new_job(tags=("other", tag)))[0] for tag in TAGS}
    bench.insert(new_job(), new_job(tags=("nothing",)))
    bench.settle(*(done(row) for row in bench.claim(6)))
    assert {tag: ids(bench.find(tag=tag)) for tag in TAGS} == {tag: [rows[tag].id] for tag in TAGS}


def test_a_part_or_a_pattern_of_a_tag_finds_nothing(bench: Bench) -> None:
    bench.insert(*(new_job(tags=("other", tag)) for tag in TAGS))
    for tag in ("%", "_ed", "re", "ed", "oth", "red%", "RED", "e", "e\u0301", "", "null", "red'--"):
        assert bench.find(tag=tag) == []


def test_all_filters_hold_together(bench: Bench) -> None:
    wanted = new_job("x", "a", tags=("v",))
    near = [
        new_job("y", "a", tags=("v",)),
        new_job("x", "b", tags=("v",)),
        new_job("x", "a", tags=("w",)),
        new_job("x", "a", tags=("v",)),
    ]
    top = new_job("x", "a", tags=("v",))
    bench.insert(wanted, *near, top)
    bench.settle(done(bench.claim_one(tasks=("x",), queues=["a"])))
    asked = tuple(ids([wanted, *near[:3], top]))
    where = {"ids": asked, "states": (JobState.DONE,), "queue": "a", "task": "x", "tag": "v", "after": top.id}
    assert ids(bench.find(**where)) == [wanted.id]
    assert bench.find(**{**where, "states": (JobState.WAITING,)}) == []


def test_pages_go_through_unfinished_and_finished_jobs_alike(bench: Bench) -> None:
    jobs = new_jobs(250)
    bench.insert(*jobs)
    rows = bench.claim(150)
    bench.settle(*(done(row) for row in rows[::2]), *(retried(row) for row in rows[1::4]))
    seen: list[UUID] = []
    while page := bench.find(limit=40, after=seen[-1] if seen else None):
        assert len(page) <= 40
        seen += ids(page)
    assert seen == ids(jobs)[::-1]


def test_a_page_respects_the_filter(bench: Bench) -> None:
    jobs = [new_job(queue="ab"[number % 2]) for number in range(20)]
    bench.insert(*jobs)
    page = bench.find(queue="a", limit=3)
    assert ids(page) == ids(jobs)[18:13:-2]
    assert ids(bench.find(queue="a", limit=3, after=page[-1].id)) == ids(jobs)[12:7:-2]


def test_a_page_after_an_id_that_is_gone_goes_on(bench: Bench) -> None:
    jobs = new_jobs(4)
    bench.insert(*jobs)
    bench.delete(ids=(jobs[2].id,))
    assert ids(bench.find(after=jobs[2].id)) == [jobs[1].id, jobs[0].id]


def test_the_limit_is_a_hundred_unless_said_otherwise(bench: Bench) -> None:
    bench.insert(*new_jobs(120))
    assert len(bench.find()) == 100
    assert len(bench.find(limit=None)) == 120
    assert len(bench.find(limit=1)) == 1


def test_jobs_are_counted_by_queue_and_state(bench: Bench) -> None:
    bench.insert(*new_jobs(5, queue="a"), *new_jobs(3, queue="b"), new_job("u", "a"))
    rows = bench.claim(4, queues=["a"])
    bench.settle(done(rows[0]), done(rows[1]), failed(rows[2]))
    counts = {(count.queue, count.state): count.count for count in _counts(bench)}
    assert counts == {
        ("a", "waiting"): 2,
        ("a", "running"): 1,
        ("a", "done"): 2,
        ("a", "failed"): 1,
        ("b", "waiting"): 3,
    }
    assert _counts(bench, queue="b") == [JobCount("b", JobState.WAITING, 3)]
    assert _counts(bench, task="u") == [JobCount("a", JobState.WAITING, 1)]
    assert _counts(bench, states=(JobState.DONE,)) == [JobCount("a", JobState.DONE, 2)]


def test_a_count_is_not_limited(bench: Bench) -> None:
    bench.insert(*new_jobs(150))
    assert _counts(bench, limit=10) == [JobCount("q", JobState.WAITING, 150)]


def test_nothing_is_counted_where_nothing_is(bench: Bench) -> None:
    assert _counts(bench) == []


def _one_of_each_state(bench: Bench) -> None:
    bench.insert(*new_jobs(5))
    first, second, third, _ = bench.claim(4)
    bench.settle(done(first), failed(second), cancelled(third))


def _counts(bench: Bench, **where: Any) -> list[JobCount]:
    return bench.run(lambda: bench.store.count_jobs(JobFilter(**where)))
