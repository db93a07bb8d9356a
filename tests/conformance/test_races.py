"""What happens at the same time: claims, settlements, rescues, enqueues and open transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar
from uuid import UUID

from sidework.core.job import JobState
from sidework.core.store import ProgressNote
from tests.conformance.bench import Bench
from tests.conformance.builders import DEADLINE, T0, at, at_once, done, ids, new_id, new_job, new_jobs, retried

T = TypeVar("T")

ROUNDS = 200


def test_rival_claimers_take_each_job_exactly_once(bench: Bench) -> None:
    jobs = [new_job(f"t{number % 3}", f"q{number % 2}", priority=number % 5) for number in range(2000)]
    bench.insert(*jobs)

    def work(claimer: Bench) -> list[UUID]:
        taken: list[UUID] = []
        while True:
            answer = claimer.ask(7, tasks=("t0", "t1", "t2"))
            taken += ids(answer.rows)
            if not answer.rows and answer.next_due is None:
                return taken

    taken = at_once(work, bench.others(4))
    assert sorted(id for part in taken for id in part) == ids(jobs)
    rows = bench.find(limit=None)
    assert {row.attempt for row in rows} == {1}


def test_rival_claimers_of_retried_jobs_never_share_a_token(bench: Bench) -> None:
    bench.insert(*new_jobs(20))

    def work(claimer: Bench) -> list[tuple[UUID, int | None]]:
        seen = []
        for _ in range(40):
            rows = claimer.claim(3)
            seen += [(row.id, row.token) for row in rows]
            assert claimer.settle(*(retried(row) for row in rows)) == []
        return seen

    seen = [attempt for part in at_once(work, bench.others(3)) for attempt in part]
    assert len(set(seen)) == len(seen)
    assert sum(row.attempt for row in bench.find()) == len(seen)


def test_a_late_settlement_and_a_rescue_never_both_win(bench: Bench) -> None:
    with bench.transaction() as session:
        session.insert(*new_jobs(ROUNDS))
        for number in range(ROUNDS):
            session.register(f"worker {number}", lease=10 + number)
        rows = [session.claim_one(worker=f"worker {number}") for number in range(ROUNDS)]
    settler, rescuer = bench.others(2)
    barrier = Barrier(2, timeout=DEADLINE)

    def settle(number: int) -> bool:
        barrier.wait()
        return settler.settle(done(rows[number])) == []

    def rescue(number: int) -> bool:
        barrier.wait()
        return ids(entry.row for entry in rescuer.rescue(now=at(10.5 + number))) == [rows[number].id]

    with ThreadPoolExecutor(2) as pool:
        for number, row in enumerate(rows):
            settled, rescued = pool.submit(settle, number), pool.submit(rescue, number)
            assert settled.result(DEADLINE) is not rescued.result(DEADLINE)
            assert bench.get(row.id).state is (JobState.DONE if settled.result() else JobState.WAITING)


def test_two_enqueues_of_one_id_make_one_job(bench: Bench) -> None:
    given = [new_id() for _ in range(30)]

    def enqueue(producer: Bench) -> list[object]:
        return [producer.insert(new_job(id=id))[0] for id in given]

    first, second, third = at_once(enqueue, bench.others(3))
    assert first == second == third
    assert ids(bench.find()) == given[::-1]


def test_two_batches_with_the_same_ids_in_other_orders_make_each_job_once(bench: Bench) -> None:
    jobs = [new_job(id=new_id()) for _ in range(40)]
    orders = [jobs, jobs[::-1], jobs[20:] + jobs[:20]]

    def enqueue(part: tuple[Bench, int]) -> list[UUID]:
        return ids(part[0].insert(*orders[part[1]]))

    answers = at_once(enqueue, [(producer, place) for place, producer in enumerate(bench.others(3))])
    assert answers == [ids(order) for order in orders]
    assert len(bench.find()) == 40


def test_an_id_that_is_enqueued_while_its_job_settles_stays_one_job(bench: Bench) -> None:
    jobs = [new_job(id=new_id()) for _ in range(40)]
    bench.insert(*jobs)
    rows = bench.claim(40)
    producer, settler = bench.others(2)

    def act(role: str) -> None:
        for job, row in zip(jobs, rows, strict=True):
            if role == "producer":
                assert ids(producer.insert(job)) == [job.id]
            else:
                assert settler.settle(done(row)) == []

    at_once(act, ["producer", "settler"])
    assert bench.states() == dict.fromkeys(ids(jobs), JobState.DONE)


def test_jobs_of_an_open_transaction_do_not_hold_up_a_claim(server_bench: Bench) -> None:
    session, worker = server_bench.open(), server_bench.other()
    session.insert(*new_jobs(3, priority=9), new_job(id=new_id()))
    assert _soon(worker.claim) == []
    (visible,) = server_bench.insert(new_job())
    assert ids(_soon(worker.claim)) == [visible.id]
    session.commit()
    assert len(worker.claim()) == 4


def test_a_job_that_commits_late_is_found_by_the_next_claim(server_bench: Bench) -> None:
    session = server_bench.open()
    (early,) = session.insert(new_job())
    other = server_bench.other()
    other.insert(*new_jobs(3), now=at(1))
    assert len(other.claim(now=at(2))) == 3
    session.commit()
    assert ids(other.claim(now=at(3))) == [early.id]


def test_a_claim_passes_over_what_others_hold(server_bench: Bench) -> None:
    jobs = new_jobs(6)
    server_bench.insert(*jobs)
    session, other = server_bench.open(), server_bench.other()
    assert ids(session.claim(4)) == ids(jobs)[:4]
    assert ids(_soon(other.claim)) == ids(jobs)[4:]
    session.rollback()
    assert ids(other.claim()) == ids(jobs)[:4]


def test_a_claimer_that_finds_everything_held_is_told_to_come_back(server_bench: Bench) -> None:
    server_bench.insert(new_job())
    session, other = server_bench.open(), server_bench.other()
    assert len(session.claim()) == 1
    answer = _soon(other.ask)
    assert (answer.rows, answer.next_due) == ((), 0)
    session.rollback()
    assert len(other.claim()) == 1


def test_an_open_claim_that_found_nothing_does_not_hold_up_producers(server_bench: Bench) -> None:
    session, producer = server_bench.open(), server_bench.other()
    assert session.claim() == []
    assert session.claim(queues=["q", "other"]) == []
    for job in (new_job(), new_job(priority=5), new_job("new", "brandnew"), new_job(delay=60), new_job(id=new_id())):
        assert ids(_soon(partial(producer.insert, job))) == [job.id]


def test_an_open_claim_does_not_hold_up_producers_of_the_same_lane(server_bench: Bench) -> None:
    server_bench.insert(*(new_job(priority=priority) for priority in (1, 5, 9)))
    session, producer = server_bench.open(), server_bench.other()
    assert len(session.claim(2)) == 2
    for priority in range(11):
        assert len(_soon(partial(producer.insert, new_job(priority=priority)))) == 1


def test_an_open_settlement_does_not_hold_up_claims_and_producers(server_bench: Bench) -> None:
    server_bench.insert(*new_jobs(4))
    first, second = server_bench.claim(2)
    session, other = server_bench.open(), server_bench.other()
    assert session.settle(done(first), retried(second)) == []
    assert len(_soon(lambda: other.insert(new_job()))) == 1
    assert len(_soon(other.claim)) == 3
    assert not _soon(other.beat).was_lost


def test_a_running_attempts_open_transaction_does_not_hold_up_those_who_look_after_it(server_bench: Bench) -> None:
    server_bench.insert(new_job())
    row = server_bench.claim_one()
    token = row.token or 0
    session, other = server_bench.open(), server_bench.other()
    session.drive(lambda: session.store.open_sentinel("sidework_1", row.id, token))
    session.insert(new_job())
    note = ProgressNote(row.id, token, "[0.5]")
    _soon(lambda: other.run(lambda: other.store.save_progress([note], T0)))
    assert ids(_soon(other.cancel)) == [row.id]
    assert _soon(other.beat).cancelled == ((row.id, row.token),)
    assert _soon(other.rescue) == []
    assert _soon(other.delete) == []
    session.rollback()


def test_cancels_and_claims_at_once_lose_no_job(bench: Bench) -> None:
    jobs = new_jobs(60)
    bench.insert(*jobs)
    canceller, claimer = bench.others(2)

    def act(role: str) -> list[UUID]:
        if role == "canceller":
            return [row.id for job in jobs for row in canceller.cancel(ids=(job.id,))]
        return [row.id for _ in range(30) for row in claimer.claim(2)]

    cancelled, claimed = at_once(act, ["canceller", "claimer"])
    assert cancelled == ids(jobs)
    states = bench.states()
    asked = {id for id, _ in bench.beat().cancelled}
    for id in claimed:
        assert states[id] is JobState.RUNNING
        assert id in asked
    assert all(states[id] is JobState.CANCELLED for id in ids(jobs) if id not in claimed)


def _soon(function: Callable[[], T]) -> T:
    """The answer of a function that must not wait for an open transaction."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function).result(5)
    finally:
        pool.shutdown(wait=False)
