"""Storing jobs: all or none, in order, unchanged, and once for each id that a caller chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sidework.core.job import JobState, NewJob
from sidework.core.ops import Statement
from sidework.core.store import JobFilter
from sidework.errors import IdConflict
from tests.conformance.bench import Bench
from tests.conformance.builders import T0, at, done, failed, ids, moment, new_id, new_job, new_jobs, recorded


class Broken(Exception):
    pass


def breaks_after(number: int) -> Iterator[NewJob]:
    yield from new_jobs(number)
    raise Broken


def test_a_stored_job_is_read_back_as_it_was_given(bench: Bench) -> None:
    job = new_job("mail.send", "mail", '[[1],{"a":2}]', priority=-7, max_attempts=5, tags=("x", "y z"))
    (answer,) = bench.insert(job)
    row = bench.get(job.id)
    assert answer == row
    assert (row.task, row.queue, row.payload, row.priority) == ("mail.send", "mail", '[[1],{"a":2}]', -7)
    assert (row.state, row.attempt, row.crashes, row.max_attempts) == (JobState.WAITING, 0, 0, 5)
    assert (row.run_at, row.enqueued_at, row.tags) == (T0, T0, '["x","y z"]')
    assert (row.started_at, row.finished_at, row.worker, row.token, row.errors, row.result) == (None,) * 6


def test_no_jobs_are_no_work(bench: Bench) -> None:
    log: list[Statement] = []
    assert bench.run(lambda: recorded(bench.store.insert_jobs([]), log)) == []
    assert log == []


def test_one_job_is_one_statement(store_bench: Bench) -> None:
    log: list[Statement] = []
    store_bench.run(lambda: recorded(store_bench.store.insert_jobs(new_jobs(1), T0), log))
    assert len(log) == 1


@pytest.mark.parametrize("number", [1, 1000, 1001])
def test_any_number_of_jobs_is_stored_in_order(bench: Bench, number: int) -> None:
    jobs = new_jobs(number)
    rows = bench.insert_all(iter(jobs))
    assert ids(rows) == ids(jobs)
    assert ids(bench.find(limit=None)) == ids(jobs)[::-1]
    assert ids(bench.claim(20)) == ids(jobs)[:20]


def test_ten_thousand_jobs_are_stored_in_order(store_bench: Bench) -> None:
    jobs = new_jobs(10_000)
    assert ids(store_bench.insert_all(iter(jobs))) == ids(jobs)
    assert ids(store_bench.find(limit=None)) == ids(jobs)[::-1]


def test_a_hundred_thousand_jobs_are_stored(store_bench: Bench) -> None:
    rows = store_bench.insert_all(new_job() for _ in range(100_000))
    assert len({row.id for row in rows}) == 100_000
    (count,) = store_bench.run(lambda: store_bench.store.count_jobs(JobFilter()))
    assert (count.queue, count.state, count.count) == ("q", JobState.WAITING, 100_000)


@pytest.mark.parametrize("number", [0, 1, 1500, 7000])
def test_a_generator_that_raises_stores_nothing_and_leaves_the_callers_transaction_usable(
    bench: Bench, number: int
) -> None:
    before, after = new_job(), new_job()
    with bench.transaction() as session:
        session.insert(before)
        with pytest.raises(Broken):
            session.insert_all(breaks_after(number))
        session.insert(after)
    assert ids(bench.find(limit=None)) == [after.id, before.id]


def test_a_generator_that_raises_stores_nothing_on_a_connection_of_ours(bench: Bench) -> None:
    with pytest.raises(Broken):
        bench.insert_all(breaks_after(7000))
    assert bench.find(limit=None) == []


def test_jobs_are_read_lazily_in_bounded_chunks(store_bench: Bench) -> None:
    taken = 0

    def counted() -> Iterator[NewJob]:
        nonlocal taken
        for job in new_jobs(5000):
            taken += 1
            yield job

    op = store_bench.store.insert_jobs(counted(), T0)
    next(op)
    op.close()
    assert taken <= 2001


def test_a_statement_is_bounded_in_size_too(store_bench: Bench) -> None:
    log: list[Statement] = []
    big = new_jobs(12, payload='["' + "\\" * 400_000 + '"]')
    store_bench.run(lambda: recorded(store_bench.store.insert_jobs(big, T0), log))
    assert max(sum(len(str(value)) for value in statement.params.values()) for statement in log) < 8_000_000
    assert len(store_bench.find(limit=None)) == 12


def test_a_callers_rollback_leaves_nothing(bench: Bench) -> None:
    session = bench.open()
    session.insert(*new_jobs(3), new_job(id=new_id()), new_job(id=new_id()))
    session.rollback()
    assert bench.find() == []
    assert bench.claim() == []


def test_a_rolled_back_id_is_free_again(bench: Bench) -> None:
    job = new_job(id=new_id())
    session = bench.open()
    session.insert(job)
    session.rollback()
    bench.insert(job)
    assert ids(bench.claim()) == [job.id]


def test_jobs_of_an_open_transaction_are_seen_in_it(bench: Bench) -> None:
    with bench.transaction() as session:
        (row,) = session.insert(new_job())
        assert session.get(row.id) == row


def test_a_delay_counts_from_the_databases_clock(bench: Bench) -> None:
    (row,) = bench.insert(new_job(delay=90.5), now=at(10))
    assert row.run_at == at(100.5)
    assert bench.get(row.id).run_at == at(100.5)


def test_a_due_time_is_stored_exactly(bench: Bench) -> None:
    (row,) = bench.insert(new_job(run_at=moment(12.345678)))
    assert row.run_at == bench.get(row.id).run_at == at(12.345678)


def test_a_due_time_in_the_past_stays(bench: Bench) -> None:
    (row,) = bench.insert(new_job(run_at=moment(-100)))
    assert bench.get(row.id).run_at == at(-100)
    assert ids(bench.claim()) == [row.id]


@pytest.mark.parametrize("is_finished", [False, True], ids=["waiting", "finished"])
def test_an_id_of_our_own_given_by_a_caller_means_that_job(bench: Bench, is_finished: bool) -> None:
    (row,) = bench.insert(new_job(payload="[[1],{}]"))
    if is_finished:
        bench.settle(done(bench.claim_one()))
    (same,) = bench.insert(new_job(id=row.id, payload="[[1],{}]"))
    assert same.state == (JobState.DONE if is_finished else JobState.WAITING)
    with pytest.raises(IdConflict):
        bench.insert(new_job(id=row.id, payload="[[2],{}]"))
    assert list(bench.states()) == [row.id]


def test_without_a_clock_of_ours_the_databases_rules(bench: Bench) -> None:
    answers = [bench.insert(new_job(delay=delay), now=None)[0] for delay in (0, 0, 3600)]
    first, second, later = rows = [bench.get(answer.id) for answer in answers]
    for answer, row in zip(answers, rows, strict=True):
        # A database that cannot answer with what it stored says nothing rather than guess.
        assert (answer.run_at, answer.enqueued_at) in {(None, None), (row.run_at, row.enqueued_at)}
    times = [row.enqueued_at or 0 for row in rows]
    assert times == sorted(times)
    assert times[0] > 1_600_000_000_000_000
    assert later.run_at == times[2] + 3_600_000_000
    bench.register("v", now=None)
    assert ids(bench.claim(worker="v", now=None)) == [first.id, second.id]


@pytest.mark.parametrize(
    "text",
    [
        "😀 é ß 日本 \u200d \U0010ffff",
        "it's \"quoted\" `so` \\ \\\\ \\n \\' \\u0041 \\ud83d",
        "100% %s %(name)s %% :name ::text {p} {now} $1 ? @x /* */ -- ; [conditions]",
        "tab\t newline\n return\r bell\x07 del\x7f",
        "\ufeffbom \u2028 \u2029 \x85",
        " spaces ",
        "",
        "null",
        "x" * 900_000,
        "😀" * 225_000,
    ],
    ids=[
        "unicode",
        "quotes",
        "placeholders",
        "controls",
        "separators",
        "spaces",
        "empty",
        "null",
        "long",
        "long emoji",
    ],
)
def test_text_arrives_unchanged(bench: Bench, text: str) -> None:
    (row,) = bench.insert(new_job(payload=text, tags=(text[:50],)))
    (claimed,) = bench.claim()
    assert claimed.payload == text
    assert claimed.tags == row.tags
    bench.settle(replace(done(claimed), result=text, errors=text, progress=text))
    kept = bench.get(row.id)
    assert (kept.payload, kept.result, kept.errors, kept.progress, kept.tags) == (text, text, text, text, row.tags)


@pytest.mark.parametrize("priority", [-2_147_483_648, -1, 0, 1, 2_147_483_647])
def test_any_priority_is_kept(bench: Bench, priority: int) -> None:
    (row,) = bench.insert(new_job(priority=priority))
    assert bench.get(row.id).priority == priority
    assert bench.claim_one().priority == priority


# ids that callers chose


def test_a_given_id_twice_gives_the_waiting_job(bench: Bench) -> None:
    job = new_job(id=new_id(), tags=("a",))
    (first,) = bench.insert(job)
    assert bench.insert(replace(job, queue="other", priority=9), now=at(5)) == [first]
    assert bench.find() == [first]


def test_a_given_id_twice_gives_the_running_job(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    running = bench.claim_one()
    assert bench.insert(job, now=at(5)) == [running]
    assert bench.claim() == []


def test_a_given_id_twice_gives_the_finished_job(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.settle(done(bench.claim_one(), result="7"))
    (again,) = bench.insert(job, now=at(5))
    assert (again.state, again.result) == (JobState.DONE, "7")
    assert len(bench.find()) == 1
    assert bench.claim(now=at(9)) == []


def test_a_given_id_twice_gives_the_failed_job(bench: Bench) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    bench.settle(failed(bench.claim_one()))
    (again,) = bench.insert(job)
    assert again.state is JobState.FAILED


@pytest.mark.parametrize("end", ["settle", "cancel"])
def test_a_job_sent_again_after_it_finished_holds_up_no_other(bench: Bench, end: str) -> None:
    job, other = new_job(), new_job()
    bench.insert(job)
    bench.settle(done(bench.claim_one(), result="7"))
    bench.insert(job, other)
    if end == "settle":
        assert bench.settle(*(done(row, result="8") for row in bench.claim(2))) == []
    else:
        assert len(bench.cancel(ids=(job.id, other.id))) == 2
    rows = bench.find()
    assert sorted(row.id for row in rows) == sorted([job.id, other.id])
    assert {row.state for row in rows} == {JobState.DONE if end == "settle" else JobState.CANCELLED}


def test_a_given_id_twice_in_one_batch_is_one_job(bench: Bench) -> None:
    job, plain = new_job(id=new_id()), new_job()
    rows = bench.insert(job, plain, job)
    assert ids(rows) == [job.id, plain.id, job.id]
    assert len(bench.find()) == 2


def test_many_given_ids_are_stored_once(bench: Bench) -> None:
    jobs = [new_job(id=new_id()) for _ in range(2500)]
    first = bench.insert(*jobs)
    assert bench.insert(*jobs, now=at(1)) == first
    assert len(bench.find(limit=None)) == 2500


@pytest.mark.parametrize("other", [{"task": "u"}, {"payload": "[[2],{}]"}], ids=["task", "arguments"])
@pytest.mark.parametrize("state", ["waiting", "running", "done"])
def test_a_given_id_for_another_call_is_refused(bench: Bench, other: dict[str, Any], state: str) -> None:
    job = new_job(id=new_id())
    bench.insert(job)
    if state != "waiting":
        running = bench.claim_one()
        bench.settle(*([done(running)] if state == "done" else []))
    with pytest.raises(IdConflict, match=str(job.id)) as refusal:
        bench.insert(replace(job, **other))
    assert refusal.value.__cause__ is None
    assert bench.states() == {job.id: JobState(state)}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_refused_id_stores_nothing_else_of_its_batch(bench: Bench, place: int) -> None:
    kept = new_job(id=new_id())
    bench.insert(kept)
    batch = [new_job(), new_job()]
    batch.insert(place, replace(kept, task="u"))
    with bench.transaction() as session, pytest.raises(IdConflict):
        session.insert(*batch)
    assert ids(bench.find()) == [kept.id]


def test_a_refused_id_frees_the_other_ids_of_its_batch(bench: Bench) -> None:
    kept, other = new_job(id=new_id()), new_job(id=new_id())
    bench.insert(kept)
    with bench.transaction() as session, pytest.raises(IdConflict):
        session.insert(other, replace(kept, task="u"))
    bench.insert(replace(other, task="v"))
    assert bench.get(other.id).task == "v"


def test_a_conflict_within_one_batch_stores_nothing(bench: Bench) -> None:
    job = new_job(id=new_id())
    with bench.transaction() as session, pytest.raises(IdConflict):
        session.insert(job, new_job(), replace(job, task="u"))
    assert bench.find() == []


def test_a_given_id_in_the_callers_transaction_is_stored_once(bench: Bench) -> None:
    job = new_job(id=new_id())
    with bench.transaction() as session:
        (first,) = session.insert(job)
        assert session.insert(job) == [first]
    assert bench.find() == [first]


def test_a_given_id_compares_by_value_of_its_text(bench: Bench) -> None:
    job = new_job("Task", id=new_id())
    bench.insert(job)
    with pytest.raises(IdConflict):
        bench.insert(replace(job, task="task"))
