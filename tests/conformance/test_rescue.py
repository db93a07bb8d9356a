"""Taking jobs from workers that are gone, and from no others."""

from __future__ import annotations

from uuid import UUID

import pytest

from sidework.core.job import JobState
from tests.conformance.bench import Bench
from tests.conformance.builders import at, at_once, done, ids, new_job, new_jobs, retried


def test_a_job_of_a_lapsed_worker_waits_again_with_its_crash_counted(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    (rescued,) = bench.rescue(now=at(31))
    assert rescued.row == row
    assert rescued.settlement.state is JobState.WAITING
    waiting = bench.get(row.id)
    assert (waiting.state, waiting.attempt, waiting.crashes) == (JobState.WAITING, 1, 1)
    assert waiting.errors == f'["lost at {at(31)}"]'
    again = bench.claim_one(now=at(31))
    assert (again.attempt, again.crashes) == (2, 1)


def test_a_lease_that_has_not_lapsed_protects_its_jobs(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    assert bench.rescue(now=at(30)) == []
    bench.beat("mortal", lease=30, now=at(29))
    assert bench.rescue(now=at(58)) == []
    assert bench.settle(done(row)) == []


def test_a_job_of_a_worker_that_is_not_registered_is_rescued(bench: Bench) -> None:
    bench.register("brief")
    bench.insert(new_job())
    row = bench.claim_one(worker="brief")
    bench.run(lambda: bench.store.retire("brief"))
    assert [entry.row for entry in bench.rescue()] == [row]
    assert bench.get(row.id).state is JobState.WAITING


def test_jobs_of_live_workers_are_left_alone(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(*new_jobs(4))
    theirs = bench.claim(2, worker="mortal")
    ours = bench.claim(2)
    assert sorted(ids(entry.row for entry in bench.rescue(now=at(31)))) == ids(theirs)
    assert bench.settle(*(done(row) for row in ours)) == []
    assert bench.rescue(now=at(31)) == []


def test_waiting_and_finished_jobs_are_not_rescued(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(*new_jobs(3))
    first, second = bench.claim(2, worker="mortal")
    bench.settle(done(first), retried(second))
    assert bench.rescue(now=at(31)) == []


def test_a_job_that_has_used_its_crash_budget_fails(bench: Bench) -> None:
    (row,) = bench.insert(new_job())
    for crash in range(1, 4):
        bench.register("mortal", lease=10, now=at(crash * 100))
        row = bench.claim_one(worker="mortal", now=at(crash * 100), tasks={"t": 3})
        (rescued,) = bench.rescue(now=at(crash * 100 + 11))
        assert rescued.settlement.crashes == crash
    kept = bench.get(row.id)
    assert (kept.state, kept.crashes, kept.attempt, kept.finished_at) == (JobState.FAILED, 3, 3, at(311))
    assert kept.errors is not None
    assert bench.claim(now=at(400)) == []


def test_a_task_with_a_budget_of_one_fails_at_its_first_crash(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal", tasks={"t": 1})
    bench.rescue(now=at(31))
    assert bench.get(row.id).state is JobState.FAILED


def test_the_limit_is_respected_and_nothing_is_forgotten(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(*new_jobs(10))
    rows = bench.claim(worker="mortal")
    taken = [ids(entry.row for entry in bench.rescue(limit=4, now=at(31))) for _ in range(4)]
    assert [len(part) for part in taken] == [4, 4, 2, 0]
    assert sorted(id for part in taken for id in part) == ids(rows)


def test_a_late_heartbeat_learns_that_the_worker_was_lost(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    bench.rescue(now=at(31))
    assert bench.beat("mortal", lease=30, now=at(32)).was_lost
    assert not bench.beat("mortal", lease=30, now=at(33)).was_lost
    assert bench.settle(done(row)) == [row.id]


def test_a_late_heartbeat_before_any_rescue_saves_the_worker(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    assert not bench.beat("mortal", lease=30, now=at(40)).was_lost
    assert bench.rescue(now=at(41)) == []
    assert bench.settle(done(row)) == []


def test_an_idle_worker_that_lapsed_is_forgotten(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    assert bench.rescue(now=at(31)) == []
    assert [worker.id for worker in bench.run(bench.store.list_workers)] == ["w"]
    assert bench.beat("mortal", now=at(32)).was_lost


def test_very_many_lapsed_workers_are_rescued_from(bench: Bench) -> None:
    bench.insert(*new_jobs(50))
    with bench.transaction() as session:
        for number in range(50):
            session.register(f"mortal {number}", lease=30)
            session.claim_one(worker=f"mortal {number}")
    taken = [len(bench.rescue(now=at(31))) for _ in range(50)]
    assert sum(taken) == 50
    assert [worker.id for worker in bench.run(bench.store.list_workers)] == ["w"]


def test_a_lost_attempt_settles_nothing_afterwards(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    bench.rescue(now=at(31))
    again = bench.claim_one(now=at(31))
    assert bench.settle(done(row), now=at(32)) == [row.id]
    assert bench.get(row.id) == again


def test_two_rescuers_share_without_doubling(bench: Bench) -> None:
    bench.register("mortal", lease=30)
    bench.insert(*new_jobs(60))
    rows = bench.claim(60, worker="mortal")

    def rescue(rescuer: Bench) -> list[UUID]:
        return [id for _ in range(10) for id in ids(entry.row for entry in rescuer.rescue(limit=5, now=at(31)))]

    taken = [id for part in at_once(rescue, bench.others(2)) for id in part]
    while more := bench.rescue(limit=5, now=at(31)):
        taken += ids(entry.row for entry in more)
    assert sorted(taken) == ids(rows)
    assert {row.crashes for row in bench.find()} == {1}


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_rescue_and_what_goes_with_it_are_one_transaction(bench: Bench, end: str) -> None:
    bench.register("mortal", lease=30)
    bench.insert(new_job())
    row = bench.claim_one(worker="mortal")
    session = bench.open()
    assert len(session.rescue(now=at(31))) == 1
    getattr(session, end)()
    assert bench.settle(done(row)) == ([row.id] if end == "commit" else [])
    assert bench.beat("mortal", now=at(31)).was_lost is (end == "commit")
