"""Writing what became of attempts: mixed batches, each settlement only where its token still holds."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from sidework.core.job import JobState
from sidework.core.lifecycle import Settlement
from sidework.core.store import ProgressNote
from tests.conformance.bench import Bench
from tests.conformance.builders import (
    T0,
    at,
    cancelled,
    done,
    failed,
    given_back,
    ids,
    moment,
    new_job,
    new_jobs,
    retried,
    snoozed,
)


def test_a_done_job_is_kept_with_its_result(bench: Bench) -> None:
    bench.insert(new_job(priority=2, tags=("a",), max_attempts=3))
    row = bench.claim_one(now=at(1))
    assert bench.settle(replace(done(row, result='{"x":1}'), progress="[1]"), now=at(2)) == []
    kept = bench.get(row.id)
    assert kept == replace(row, state=JobState.DONE, finished_at=at(2), result='{"x":1}', progress="[1]")


def test_a_failed_job_is_kept_with_its_errors(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.settle(failed(row, '["e"]'), now=at(3)) == []
    assert bench.get(row.id) == replace(row, state=JobState.FAILED, finished_at=at(3), errors='["e"]')


def test_a_cancelled_job_is_kept(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.settle(cancelled(row), now=at(3)) == []
    assert bench.get(row.id).state is JobState.CANCELLED


def test_a_finished_job_is_not_claimed_again(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    first, second, third = bench.claim()
    bench.settle(done(first), failed(second), cancelled(third))
    assert bench.claim(now=at(1000)) == []


def test_a_retried_job_waits_for_its_delay_and_keeps_its_errors(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.settle(retried(row, delay=30, errors='["one"]'), now=at(5)) == []
    waiting = bench.get(row.id)
    assert (waiting.state, waiting.run_at, waiting.attempt, waiting.errors) == (JobState.WAITING, at(35), 1, '["one"]')
    assert (waiting.worker, waiting.token, waiting.started_at) == (None, None, None)
    assert bench.claim(now=at(34)) == []
    again = bench.claim_one(now=at(35))
    assert (again.attempt, again.errors) == (2, '["one"]')


def test_a_retry_without_delay_runs_again_at_once(bench: Bench) -> None:
    bench.insert(new_job())
    bench.settle(retried(bench.claim_one(), delay=0))
    assert bench.claim_one().attempt == 2


def test_a_snoozed_job_has_not_spent_its_attempt(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.settle(snoozed(row, delay=10))
    assert (bench.get(row.id).attempt, bench.get(row.id).run_at) == (0, at(10))
    assert bench.claim_one(now=at(10)).attempt == 1


def test_a_job_that_is_given_back_keeps_its_due_time(bench: Bench) -> None:
    early, late = new_job(run_at=moment(-60)), new_job(run_at=moment(-30))
    bench.insert(early, late)
    row = bench.claim_one()
    assert row.id == early.id
    bench.settle(given_back(row), now=at(100))
    waiting = bench.get(row.id)
    assert (waiting.state, waiting.run_at, waiting.attempt) == (JobState.WAITING, at(-60), 0)
    assert ids(bench.claim(now=at(101))) == [early.id, late.id]


def test_a_stale_token_settles_nothing_and_is_named(bench: Bench) -> None:
    bench.insert(new_job())
    old = bench.claim_one()
    bench.settle(retried(old))
    new = bench.claim_one()
    for settlement in (done(old), failed(old), cancelled(old), retried(old), snoozed(old), given_back(old)):
        assert bench.settle(settlement) == [old.id]
    assert bench.get(old.id) == new
    assert bench.settle(done(new)) == []


def test_a_settlement_is_refused_the_second_time(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert bench.settle(done(row), now=at(1)) == []
    assert bench.settle(failed(row), now=at(2)) == [row.id]
    assert (bench.get(row.id).state, bench.get(row.id).finished_at) == (JobState.DONE, at(1))


def test_a_waiting_or_missing_job_refuses_settlement(bench: Bench) -> None:
    bench.insert(new_job(), new_job())
    waits, gone = bench.claim()
    bench.settle(given_back(waits), done(gone))
    bench.delete(ids=(gone.id,))
    assert bench.settle(done(waits), retried(gone)) == [waits.id, gone.id]


def test_a_token_counts_for_its_own_job_only(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    assert row.token is not None
    assert bench.settle(replace(done(row), token=row.token + 1)) == [row.id]
    assert bench.settle(replace(done(row), token=0)) == [row.id]
    assert bench.get(row.id) == row


def test_a_refusal_leaves_the_rest_of_its_batch_written(bench: Bench) -> None:
    bench.insert(*new_jobs(5))
    rows = bench.claim()
    bench.settle(done(rows[1]), retried(rows[3], delay=60))
    batch: list[Settlement] = [done(rows[0]), failed(rows[1]), retried(rows[2]), retried(rows[3]), cancelled(rows[4])]
    assert bench.settle(*batch) == [rows[1].id, rows[3].id]
    assert [bench.get(row.id).state for row in rows] == ["done", "done", "waiting", "waiting", "cancelled"]
    assert bench.get(rows[3].id).run_at == at(60)


def test_a_mixed_batch_is_written_in_one_call(bench: Bench) -> None:
    bench.insert(*new_jobs(60))
    kinds = (done, failed, cancelled, retried, snoozed, given_back)
    rows = bench.claim(60)
    assert bench.settle(*(kinds[place % 6](row) for place, row in enumerate(rows)), now=at(9)) == []
    states = [bench.get(row.id).state for row in rows[:6]]
    assert states == ["done", "failed", "cancelled", "waiting", "waiting", "waiting"]
    assert sorted(bench.states().values()).count(JobState.WAITING) == 30
    assert len(bench.claim(60, now=at(9))) == 30


def test_a_large_batch_is_written(bench: Bench) -> None:
    bench.insert(*new_jobs(1500))
    rows = bench.claim(1500)
    assert bench.settle(*(done(row, result="1") for row in rows)) == []
    assert set(bench.states().values()) == {JobState.DONE}


def test_a_batch_with_more_text_than_a_server_takes_at_once_is_written(bench: Bench) -> None:
    bench.insert(*new_jobs(20))
    rows = bench.claim(20)
    result = f'"{"x" * 900_000}"'
    assert bench.settle(*(done(row, result=result) for row in rows)) == []
    assert set(bench.states().values()) == {JobState.DONE}


def test_no_settlements_are_no_work(bench: Bench) -> None:
    assert bench.settle() == []


def test_a_callers_rollback_undoes_a_settlement(bench: Bench) -> None:
    bench.insert(new_job(), new_job())
    first, second = bench.claim()
    session = bench.open()
    assert session.settle(done(first), retried(second)) == []
    session.rollback()
    assert bench.settle(done(first), done(second)) == []


def test_a_result_and_a_job_of_one_transaction_commit_together(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    with bench.transaction() as session:
        (child,) = session.insert(new_job())
        session.settle(done(row))
    assert bench.states() == {row.id: JobState.DONE, child.id: JobState.WAITING}


@pytest.mark.parametrize("delay", [0.000001, 0.5, 3_155_760_000.0])
def test_a_delay_is_kept_to_the_microsecond(bench: Bench, delay: float) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.settle(retried(row, delay=delay))
    assert bench.get(row.id).run_at == at(delay)


def test_a_delay_counts_from_the_databases_clock(bench: Bench) -> None:
    bench.register("v", now=None)
    bench.insert(new_job(), now=None)
    row = bench.claim_one(worker="v", now=None)
    bench.settle(retried(row, delay=1000), now=None)
    started_at, run_at = row.started_at or 0, bench.get(row.id).run_at or 0
    assert started_at + 1_000_000_000 <= run_at < started_at + 1_100_000_000
    assert run_at < T0


# progress


def test_progress_of_a_running_attempt_is_seen(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    _note(bench, row.id, row.token, "[0.5]")
    assert bench.get(row.id).progress == "[0.5]"
    _note(bench, row.id, row.token, '[0.75,"é"]')
    assert bench.get(row.id).progress == '[0.75,"é"]'


def test_progress_with_a_stale_token_changes_nothing(bench: Bench) -> None:
    bench.insert(new_job())
    old = bench.claim_one()
    _note(bench, old.id, old.token, "[0.5]")
    bench.settle(retried(old))
    assert bench.get(old.id).progress is None
    new = bench.claim_one()
    assert bench.get(old.id).progress is None
    _note(bench, new.id, new.token, "[0.1]")
    _note(bench, old.id, old.token, "[0.9]")
    assert bench.get(new.id).progress == "[0.1]"


def test_progress_of_many_jobs_is_written_at_once(bench: Bench) -> None:
    bench.insert(*new_jobs(3))
    first, second, third = bench.claim()
    bench.settle(done(second))
    _notes(bench, [(row.id, row.token, f"[{row.token}]") for row in (first, second, third)])
    notes = {row.id: row.progress for row in bench.find()}
    assert notes == {first.id: f"[{first.token}]", second.id: None, third.id: f"[{third.token}]"}


def _note(bench: Bench, id: UUID, token: int | None, text: str) -> None:
    _notes(bench, [(id, token, text)])


def _notes(bench: Bench, notes: list[tuple[UUID, int | None, str]]) -> None:
    sent = [ProgressNote(id, token or 0, text) for id, token, text in notes]
    bench.run(lambda: bench.store.save_progress(sent, T0))
