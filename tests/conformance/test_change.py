"""What people do to jobs from outside: cancel, retry, delete, reschedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidework.core.job import JobRow, JobState
from sidework.core.store import Change, JobFilter
from tests.conformance.bench import Bench
from tests.conformance.builders import (
    T0,
    at,
    at_once,
    cancelled,
    done,
    failed,
    given_back,
    ids,
    interrupted,
    moment,
    new_id,
    new_job,
    new_jobs,
    retried,
)

# cancel


def test_a_waiting_job_is_cancelled_at_once(bench: Bench) -> None:
    due, later = bench.insert(new_job(tags=("a",)), new_job(run_at=moment(60)))
    rows = bench.cancel(now=at(5))
    assert ids(rows) == [later.id, due.id]
    assert {row.state for row in rows} == {JobState.CANCELLED}
    kept = bench.get(due.id)
    assert (kept.state, kept.finished_at, kept.attempt, kept.tags) == (JobState.CANCELLED, at(5), 0, '["a"]')
    assert bench.claim(now=at(100)) == []


def test_a_cancelled_job_keeps_the_errors_of_its_attempts(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.settle(retried(row, errors='["one"]'))
    bench.cancel(ids=(row.id,))
    assert (bench.get(row.id).errors, bench.get(row.id).attempt) == ('["one"]', 1)


def test_a_running_job_is_asked_to_stop_and_goes_on(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.cancel(ids=(row.id,)) == [row]
    assert bench.get(row.id) == row
    assert bench.beat().cancelled == ((row.id, row.token),)
    assert bench.settle(done(row)) == []


def test_a_running_job_can_be_asked_twice(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.cancel(ids=(row.id,))
    assert ids(bench.cancel(ids=(row.id,))) == [row.id]
    assert bench.beat().cancelled == ((row.id, row.token),)


def test_a_finished_job_cannot_be_cancelled(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    first, second, third = bench.claim()
    bench.settle(done(first), failed(second), cancelled(third))
    assert bench.cancel() == []
    assert bench.get(first.id).state is JobState.DONE


def test_cancelling_takes_what_the_filter_says(bench: Bench) -> None:
    here, there = bench.insert(new_job(queue="a"), new_job(queue="b"))
    assert ids(bench.cancel(queue="a")) == [here.id]
    assert bench.states() == {here.id: JobState.CANCELLED, there.id: JobState.WAITING}


def test_very_many_jobs_are_cancelled(bench: Bench) -> None:
    bench.insert(*new_jobs(1200))
    bench.claim(50)
    assert len(bench.cancel(limit=None)) == 1200
    states = list(bench.states().values())
    assert (states.count(JobState.CANCELLED), states.count(JobState.RUNNING)) == (1150, 50)


def test_a_cancelled_given_id_is_still_taken(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.cancel()
    assert bench.insert(job)[0].state is JobState.CANCELLED


def test_a_job_that_starts_while_it_is_being_cancelled_is_asked_to_stop(bench: Bench) -> None:
    (job,) = bench.insert(new_job())
    worker = bench.other()
    rows = bench.run(
        lambda: interrupted(bench.store.cancel_jobs(_only(job), T0), lambda: _in_a_thread(worker.claim_one))
    )
    running = bench.get(job.id)
    assert running.state is JobState.RUNNING
    assert ids(rows) == [job.id]
    assert bench.beat().cancelled == ((job.id, running.token),)


def test_a_job_that_stops_while_it_is_being_cancelled_is_cancelled(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    worker = bench.other()
    stop = interrupted(
        bench.store.cancel_jobs(_only(row), T0), lambda: _in_a_thread(lambda: worker.settle(given_back(row)))
    )
    rows = bench.run(lambda: stop)
    assert ids(rows) == [row.id]
    assert bench.get(row.id).state is JobState.CANCELLED


# retry


@pytest.mark.parametrize("finish", [done, failed, cancelled])
def test_a_finished_job_is_retried_from_the_start_with_its_errors(bench: Bench, finish: Any) -> None:
    bench.insert(new_job(priority=4, tags=("a",), max_attempts=3, run_at=moment(-50)))
    bench.settle(retried(bench.claim_one(), errors='["one"]'))
    row = bench.claim_one()
    bench.settle(finish(row))
    kept = bench.get(row.id)
    (again,) = bench.retry(now=at(70))
    assert (again.state, again.attempt, again.crashes, again.errors) == (JobState.WAITING, 0, 0, kept.errors)
    assert (again.run_at, again.enqueued_at, again.priority) == (at(70), T0, 4)
    assert (again.tags, again.max_attempts, again.payload) == ('["a"]', 3, row.payload)
    assert (again.finished_at, again.result, again.worker, again.token) == (None,) * 4
    assert bench.get(row.id) == again
    assert bench.claim_one(now=at(70)).attempt == 1


def test_a_waiting_job_is_due_now_when_it_is_retried(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.settle(retried(row, delay=3600))
    assert [row.run_at for row in bench.retry(now=at(9))] == [at(9)]
    again = bench.claim_one(now=at(9))
    assert (again.attempt, again.errors) == (2, '["broke"]')


def test_a_retry_does_not_delay_what_is_due(bench: Bench) -> None:
    (row,) = bench.insert(new_job())
    bench.retry(now=at(50))
    assert bench.get(row.id).run_at == T0


def test_a_running_job_is_not_retried(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.retry() == []
    assert bench.get(row.id) == row


def test_a_retried_given_id_is_still_taken(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.settle(done(bench.claim_one()))
    bench.retry()
    assert bench.insert(job)[0].state is JobState.WAITING
    assert len(bench.find()) == 1


def test_retried_jobs_start_in_the_order_of_their_ids(bench: Bench) -> None:
    jobs = new_jobs(20)
    bench.insert(*jobs)
    bench.settle(*(failed(row) for row in bench.claim(20)))
    assert len(bench.retry(states=(JobState.FAILED,))) == 20
    assert ids(bench.claim(20)) == ids(jobs)


def test_very_many_jobs_are_retried(bench: Bench) -> None:
    bench.insert(*new_jobs(1200))
    bench.settle(*(failed(row) for row in bench.claim(1200)))
    assert len(bench.retry(limit=None)) == 1200
    assert set(bench.states().values()) == {JobState.WAITING}


# delete


def test_waiting_and_finished_jobs_are_deleted_and_running_ones_are_not(bench: Bench) -> None:
    bench.insert(*new_jobs(5))
    first, second, third, running = bench.claim(4)
    bench.settle(done(first), failed(second), cancelled(third))
    found = bench.find()
    assert bench.delete() == [row for row in found if row.id != running.id]
    assert bench.find() == [running]
    assert bench.settle(done(running)) == []


def test_a_deleted_given_id_is_free_again(bench: Bench) -> None:
    finished, waiting = new_job(id=new_id()), new_job(id=new_id())
    bench.insert(finished)
    bench.settle(done(bench.claim_one()))
    bench.insert(waiting)
    bench.delete()
    for job in (finished, waiting):
        (again,) = bench.insert(new_job("other", id=job.id), now=at(3))
        assert (again.task, again.state, again.enqueued_at) == ("other", JobState.WAITING, at(3))


def test_deleting_takes_what_the_filter_says(bench: Bench) -> None:
    here, there = bench.insert(new_job(tags=("a",)), new_job(tags=("b",)))
    assert ids(bench.delete(tag="a")) == [here.id]
    assert ids(bench.find()) == [there.id]
    assert bench.delete(tag="a") == []


def test_a_callers_rollback_undoes_what_was_changed(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    row = bench.claim_one()
    bench.settle(done(row))
    before = bench.find()
    session = bench.open()
    assert len(session.retry(states=(JobState.DONE,))) == 1
    assert len(session.cancel()) == 3
    assert len(session.delete()) == 3
    session.rollback()
    assert bench.find() == before


# reschedule


def test_a_waiting_job_is_put_off(bench: Bench) -> None:
    (row,) = bench.insert(new_job())
    assert _change(bench, Change(row.id, run_at=at(60), now=T0))
    assert bench.get(row.id).run_at == at(60)
    assert bench.claim(now=at(59)) == []
    assert ids(bench.claim(now=at(60))) == [row.id]


def test_a_waiting_job_is_brought_forward(bench: Bench) -> None:
    (row,) = bench.insert(new_job(run_at=moment(3600)))
    assert _change(bench, Change(row.id, run_at=at(-5), now=T0))
    assert bench.claim_one().run_at == at(-5)


def test_a_waiting_job_changes_its_queue_and_priority(bench: Bench) -> None:
    low, high = bench.insert(new_job(), new_job(priority=1))
    assert _change(bench, Change(low.id, priority=2, now=T0))
    assert _change(bench, Change(high.id, queue="other", now=T0))
    assert (bench.get(low.id).priority, bench.get(low.id).queue) == (2, "q")
    assert (bench.get(high.id).priority, bench.get(high.id).queue) == (1, "other")
    assert ids(bench.claim()) == [low.id, high.id]


def test_a_job_that_is_not_waiting_is_not_rescheduled(bench: Bench) -> None:
    bench.insert(*new_jobs(2))
    running, finished = bench.claim()
    bench.settle(done(finished))
    before = bench.find()
    for id in (running.id, finished.id, new_id()):
        assert not _change(bench, Change(id, run_at=at(60), queue="x", priority=9, now=T0))
    assert bench.find() == before


def _change(bench: Bench, change: Change) -> bool:
    return bench.run(lambda: bench.store.change_job(change))


def _only(row: JobRow) -> JobFilter:
    return JobFilter(ids=(row.id,))


def _in_a_thread(function: Callable[[], object]) -> None:
    """Beside an operation that is under way, on whose event loop nothing else can run."""
    at_once(lambda call: call(), [function])
