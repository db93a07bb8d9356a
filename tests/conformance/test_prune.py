"""Retention: finished jobs go after their time, a few at once, and free what they held."""

from __future__ import annotations

from sidework.core.job import JobRow, JobState
from sidework.core.store import ProgressNote
from tests.conformance.bench import Bench
from tests.conformance.builders import T0, at, cancelled, done, failed, ids, new_id, new_job, new_jobs, retried

SECOND = 1_000_000


def test_finished_jobs_go_when_their_finish_is_long_enough_ago(bench: Bench) -> None:
    rows = _finished(bench, 4)
    assert _prune(bench, {JobState.DONE: 10 * SECOND}, now=at(12)) == 2
    assert sorted(bench.states()) == ids(rows[2:])
    assert _prune(bench, {JobState.DONE: 10 * SECOND}, now=at(12)) == 0


def test_each_state_has_an_age_of_its_own(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    first, second, third = bench.claim()
    bench.settle(done(first), failed(second), cancelled(third))
    assert _prune(bench, {JobState.DONE: 5 * SECOND, JobState.FAILED: 50 * SECOND}, now=at(10)) == 1
    assert sorted(bench.states()) == [second.id, third.id]
    assert _prune(bench, {JobState.CANCELLED: 0, JobState.FAILED: 0}, now=at(10)) == 2


def test_small_batches_take_the_oldest_first(bench: Bench) -> None:
    rows = _finished(bench, 7)
    for gone, left in ((2, 5), (2, 3), (2, 1), (1, 0)):
        assert _prune(bench, {JobState.DONE: 0}, limit=2, now=at(100)) == gone
        assert sorted(bench.states()) == ids(rows[7 - left :])


def test_unfinished_jobs_never_go(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    running, again = bench.claim(2)
    bench.settle(retried(again))
    ages = dict.fromkeys(JobState, 0)
    assert _prune(bench, ages, now=at(1_000_000)) == 0
    assert len(bench.find()) == 3
    assert bench.settle(done(running)) == []


def test_pruned_ids_are_free_again(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.settle(done(bench.claim_one()))
    _prune(bench, {JobState.DONE: 0}, now=at(10))
    (again,) = bench.insert(new_job("other", id=job.id), now=at(20))
    assert (again.task, again.state) == ("other", JobState.WAITING)


def test_a_kept_id_stays_taken(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.settle(done(bench.claim_one()))
    _prune(bench, {JobState.DONE: 60 * SECOND, JobState.FAILED: 0}, now=at(10))
    assert bench.insert(job)[0].state is JobState.DONE


def test_nothing_is_pruned_where_nothing_is(bench: Bench) -> None:
    assert _prune(bench, dict.fromkeys(JobState, 0)) == 0
    assert _prune(bench, {}) == 0


def test_what_running_attempts_report_and_are_asked_stays(bench: Bench) -> None:
    bench.insert(*new_jobs(2))
    row, over = bench.claim()
    notes = [ProgressNote(job.id, job.token or 0, "[0.5]") for job in (row, over)]
    bench.run(lambda: bench.store.save_progress(notes, T0))
    bench.cancel()
    bench.settle(retried(over))
    _prune(bench, {})
    assert bench.get(row.id).progress == "[0.5]"
    assert bench.beat().cancelled == ((row.id, row.token),)


def _finished(bench: Bench, number: int) -> list[JobRow]:
    """So many done jobs, each of which finished a second after the one before."""
    bench.insert(*new_jobs(number))
    rows = bench.claim(number)
    for second, row in enumerate(rows):
        bench.settle(done(row), now=at(second))
    return rows


def _prune(bench: Bench, ages: dict[JobState, int], limit: int = 100, now: int = T0) -> int:
    return bench.run(lambda: bench.store.prune_jobs(ages, limit, now))
