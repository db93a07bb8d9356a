"""Workers as the database knows them: leases, lists, and requests to stop an attempt."""

from __future__ import annotations

from dataclasses import replace

from sidework.core.store import WorkerRow
from tests.conformance.bench import Bench
from tests.conformance.builders import T0, at, done, new_job, new_jobs, retried, worker


def test_a_registered_worker_is_listed_as_it_presented_itself(bench: Bench) -> None:
    given = worker("z", 12.5, host="höst", pid=77, queues=("b", "a"), tasks=("x", "é"), concurrency=9)
    bench.run(lambda: bench.store.beat(given, first=True, now=at(3)))
    found = _workers(bench)["z"]
    assert found == replace(given, started_at=at(3), beat_at=at(3), lease_until=at(15.5), running=0)


def test_a_worker_of_every_queue_is_listed_so(bench: Bench) -> None:
    bench.register("all", queues=None)
    bench.register("none", queues=())
    assert _workers(bench)["all"].queues is None
    assert _workers(bench)["none"].queues == ()


def test_workers_are_listed_by_id_with_what_they_run(bench: Bench) -> None:
    for id in ("b", "Z", "a", "é"):
        bench.register(id)
    bench.insert(*new_jobs(3))
    bench.claim(2, worker="b")
    rows = bench.run(bench.store.list_workers)
    assert [row.id for row in rows] == ["Z", "a", "b", "w", "é"]
    assert [row.running for row in rows] == [0, 0, 2, 0, 0]


def test_a_heartbeat_extends_the_lease_and_keeps_the_start(bench: Bench) -> None:
    bench.register("z", lease=10, now=at(0))
    assert not bench.beat("z", lease=20, now=at(5)).was_lost
    found = _workers(bench)["z"]
    assert (found.started_at, found.beat_at, found.lease_until, found.lease) == (T0, at(5), at(25), 20)


def test_a_heartbeat_carries_the_tasks_that_are_known_now(bench: Bench) -> None:
    bench.register("z", tasks=("x",))
    bench.beat("z", tasks=("x", "y"))
    assert _workers(bench)["z"].tasks == ("x", "y")


def test_a_registration_is_not_a_loss(bench: Bench) -> None:
    reply = bench.beat("z", first=True)
    assert (reply.was_lost, reply.cancelled) == (False, ())


def test_a_heartbeat_of_an_unknown_worker_registers_it_and_says_it_was_lost(bench: Bench) -> None:
    assert bench.beat("z").was_lost
    assert "z" in _workers(bench)
    assert not bench.beat("z").was_lost


def test_a_registration_can_be_repeated(bench: Bench) -> None:
    bench.register("z", now=at(0), lease=10)
    bench.register("z", now=at(5), lease=10)
    assert _workers(bench)["z"].lease_until == at(15)


def test_a_retired_worker_is_forgotten(bench: Bench) -> None:
    bench.register("z")
    bench.run(lambda: bench.store.retire("z"))
    bench.run(lambda: bench.store.retire("nobody"))
    assert list(_workers(bench)) == ["w"]


def test_requests_to_stop_reach_the_worker_that_runs_the_job_only(bench: Bench) -> None:
    bench.register("z")
    bench.insert(*new_jobs(2))
    mine, theirs = bench.claim_one(), bench.claim_one(worker="z")
    bench.cancel()
    assert bench.beat("w").cancelled == ((mine.id, mine.token),)
    assert bench.beat("z").cancelled == ((theirs.id, theirs.token),)


def test_a_request_to_stop_is_repeated_until_the_attempt_is_over(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.cancel()
    assert bench.beat().cancelled == bench.beat().cancelled == ((row.id, row.token),)
    bench.settle(done(row))
    assert bench.beat().cancelled == ()


def test_a_request_to_stop_does_not_reach_the_next_attempt(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.cancel()
    bench.settle(retried(row))
    again = bench.claim_one()
    assert bench.beat().cancelled == ()
    bench.cancel()
    assert bench.beat().cancelled == ((again.id, again.token),)


def test_the_databases_clock_rules_a_lease(bench: Bench) -> None:
    bench.register("z", now=None, lease=1000)
    found = _workers(bench)["z"]
    assert found.beat_at is not None
    assert 1_600_000_000_000_000 < found.beat_at < T0
    assert found.lease_until == found.beat_at + 1_000_000_000


def _workers(bench: Bench) -> dict[str, WorkerRow]:
    return {row.id: row for row in bench.run(bench.store.list_workers)}
