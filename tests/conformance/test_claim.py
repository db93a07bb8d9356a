"""Taking due jobs: which ones, in which order, and what a claim leaves alone."""

from __future__ import annotations

import pytest

from sidework.core.job import JobState
from tests.conformance.bench import Bench
from tests.conformance.builders import T0, at, done, given_back, ids, moment, new_job, new_jobs, retried


def test_a_claimed_job_is_running_in_its_first_attempt(bench: Bench) -> None:
    job = new_job(priority=3, tags=("a",), max_attempts=4)
    bench.insert(job)
    (row,) = bench.claim(tasks={"t": 5}, now=at(2))
    assert row == bench.get(job.id)
    assert (row.state, row.attempt, row.crashes, row.max_crashes) == (JobState.RUNNING, 1, 0, 5)
    assert (row.worker, row.started_at, row.run_at, row.enqueued_at) == ("w", at(2), T0, T0)
    assert row.token is not None
    assert (row.tags, row.max_attempts, row.priority) == ('["a"]', 4, 3)


def test_a_claimed_job_is_not_claimed_again(bench: Bench) -> None:
    bench.insert(new_job())
    assert len(bench.claim()) == 1
    assert bench.claim() == []
    assert bench.claim(now=at(1000)) == []


def test_the_limit_is_respected(bench: Bench) -> None:
    jobs = new_jobs(7)
    bench.insert(*jobs)
    assert ids(bench.claim(3)) == ids(jobs)[:3]
    assert ids(bench.claim(3)) == ids(jobs)[3:6]
    assert ids(bench.claim(3)) == ids(jobs)[6:]


def test_the_limit_is_respected_across_queues_and_tasks(bench: Bench) -> None:
    jobs = [new_job(f"t{number % 3}", f"q{number % 4}") for number in range(24)]
    bench.insert(*jobs)
    tasks = ("t0", "t1", "t2")
    assert ids(bench.claim(5, tasks=tasks)) == ids(jobs)[:5]
    assert ids(bench.claim(100, tasks=tasks)) == ids(jobs)[5:]


def test_jobs_of_one_batch_start_in_order(bench: Bench) -> None:
    jobs = [new_job(f"t{number % 2}", f"q{number % 3}") for number in range(30)]
    bench.insert(*jobs)
    assert ids(bench.claim(30, tasks=("t0", "t1"))) == ids(jobs)


def test_jobs_start_by_priority_then_due_time_then_order_of_enqueuing(bench: Bench) -> None:
    late, low, first, second, early, high = (
        new_job(run_at=moment(5)),
        new_job(priority=-1, run_at=moment(-50)),
        new_job(),
        new_job(),
        new_job(run_at=moment(-10)),
        new_job(priority=1, run_at=moment(6)),
    )
    bench.insert(late, low, first, second, early, high)
    assert ids(bench.claim(now=at(10))) == ids([high, early, first, second, late, low])


def test_every_queue_and_task_takes_its_place_when_no_queue_is_named(bench: Bench) -> None:
    jobs = {
        "b low": new_job("u", "b", priority=1),
        "a top": new_job("t", "a", priority=9),
        "c early": new_job("u", "c", priority=5, run_at=moment(-5)),
        "a late": new_job("u", "a", priority=5),
        "b late": new_job("t", "b", priority=5),
    }
    bench.insert(*jobs.values())
    rows = bench.claim(tasks=("t", "u"))
    assert ids(rows) == [jobs[name].id for name in ("a top", "c early", "a late", "b late", "b low")]


def test_a_small_limit_takes_the_best_of_all_queues(bench: Bench) -> None:
    jobs = [new_job("t", f"q{number}", priority=number) for number in range(6)]
    bench.insert(*jobs)
    assert ids(bench.claim(2)) == ids(jobs[:3:-1])
    assert ids(bench.claim(2)) == ids(jobs[3:1:-1])


def test_a_list_of_queues_is_strict_whatever_the_priorities(bench: Bench) -> None:
    slow = new_job(queue="slow", priority=100, run_at=moment(-100))
    fast = new_job(queue="fast", priority=-100)
    also = new_job("u", queue="fast", priority=-200)
    bench.insert(slow, fast, also)
    assert ids(bench.claim(1, queues=["fast", "slow"], tasks=("t", "u"))) == [fast.id]
    assert ids(bench.claim(2, queues=["fast", "slow"], tasks=("t", "u"))) == [also.id, slow.id]


def test_all_of_the_first_queue_goes_before_any_of_the_second(bench: Bench) -> None:
    jobs = [new_job(queue="ab"[number % 2], priority=number) for number in range(20)]
    bench.insert(*jobs)
    rows = bench.claim(20, queues=["b", "a"])
    assert [row.queue for row in rows] == ["b"] * 10 + ["a"] * 10
    assert [row.priority for row in rows] == [*range(19, 0, -2), *range(18, -1, -2)]


def test_queues_that_are_not_named_are_left_alone(bench: Bench) -> None:
    bench.insert(new_job(queue="a"), new_job(queue="b"))
    assert [row.queue for row in bench.claim(queues=["b", "c"])] == ["b"]
    assert bench.claim(queues=["b", "c"]) == []
    assert bench.claim(queues=[]) == []


def test_tasks_that_the_worker_does_not_know_are_left_alone(bench: Bench) -> None:
    strange, known = new_job("strange", priority=9), new_job("t")
    bench.insert(strange, known)
    assert ids(bench.claim(1)) == [known.id]
    answer = bench.ask()
    assert (answer.rows, answer.next_due) == ((), None)
    assert bench.claim(tasks=()) == []
    assert ids(bench.claim(tasks=("strange",))) == [strange.id]


def test_a_paused_queue_is_left_alone_until_it_resumes(bench: Bench) -> None:
    paused, free = new_job(queue="a"), new_job(queue="b")
    bench.insert(paused, free)
    bench.pause("a")
    assert ids(bench.claim()) == [free.id]
    answer = bench.ask(queues=["a", "b"])
    assert (answer.rows, answer.next_due) == ((), None)
    bench.pause("a", paused=False)
    assert ids(bench.claim()) == [paused.id]


def test_a_pause_does_not_touch_running_jobs(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one()
    bench.pause("q")
    assert bench.settle(done(row)) == []


def test_a_future_job_is_claimed_at_its_time_and_not_before(bench: Bench) -> None:
    job = new_job(run_at=moment(60))
    bench.insert(job)
    assert bench.claim(now=T0) == []
    assert bench.claim(now=at(60) - 1) == []
    assert ids(bench.claim(now=at(60))) == [job.id]


def test_an_empty_claim_says_when_the_next_job_is_due(bench: Bench) -> None:
    assert bench.ask().next_due is None
    bench.insert(new_job(run_at=moment(60.5)), new_job(run_at=moment(30)))
    assert bench.ask().next_due == 30.0
    assert bench.ask(now=at(29.75)).next_due == 0.25
    assert len(bench.claim(now=at(30))) == 1
    assert bench.ask(now=at(30)).next_due == 30.5


def test_nothing_waits_for_a_time_when_all_of_it_runs(bench: Bench) -> None:
    bench.insert(new_job())
    bench.claim_one()
    assert bench.ask().next_due is None


def test_a_promoted_job_keeps_its_place_by_due_time(bench: Bench) -> None:
    later = new_job(run_at=moment(10))
    bench.insert(later)
    before, after = new_job(), new_job()
    bench.insert(before, now=at(5))
    bench.insert(after, now=at(15))
    assert ids(bench.claim(now=at(20))) == ids([before, later, after])


def test_promoted_jobs_of_many_queues_take_their_places(bench: Bench) -> None:
    jobs = [new_job("t", f"q{number % 3}", run_at=moment(100 - number)) for number in range(12)]
    bench.insert(*jobs)
    assert ids(bench.claim(20, now=at(200))) == ids(jobs)[::-1]


def test_many_future_jobs_become_due_at_once(store_bench: Bench) -> None:
    store_bench.insert(*new_jobs(3500, delay=10))
    claimed = 0
    for _ in range(8):
        claimed += len(store_bench.claim(500, now=at(11)))
    assert claimed == 3500


def test_a_worker_without_a_live_lease_claims_nothing(bench: Bench) -> None:
    bench.insert(new_job())
    bench.register("short", lease=10)
    assert bench.claim(worker="nobody") == []
    assert bench.claim(worker="short", now=at(10)) == []
    bench.beat("short", now=at(9), lease=10)
    assert len(bench.claim(worker="short", now=at(18))) == 1


def test_tokens_never_repeat_and_rise(bench: Bench) -> None:
    bench.insert(new_job())
    tokens: list[int] = []
    for _ in range(3):
        row = bench.claim_one()
        tokens.append(row.token or 0)
        bench.settle(retried(row))
    for _ in range(3):
        row = bench.claim_one()
        tokens.append(row.token or 0)
        bench.settle(done(row))
        bench.retry(ids=(row.id,))
    row = bench.claim_one()
    bench.settle(given_back(row))
    tokens += [row.token or 0, bench.claim_one().token or 0]
    assert tokens == sorted(tokens)
    assert len(set(tokens)) == len(tokens)


def test_tokens_of_one_job_never_repeat_after_it_was_deleted_and_enqueued_again(bench: Bench) -> None:
    job = new_job()
    bench.insert(job)
    first = bench.claim_one()
    bench.settle(done(first))
    bench.delete(ids=(job.id,))
    bench.insert(job)
    second = bench.claim_one()
    assert second.id == first.id
    assert second.token is not None
    assert first.token is not None
    assert second.token > first.token


def test_the_crash_budget_is_the_one_of_the_last_claim(bench: Bench) -> None:
    bench.insert(new_job())
    row = bench.claim_one(tasks={"t": 1})
    assert row.max_crashes == 1
    bench.settle(retried(row))
    assert bench.claim_one(tasks={"t": 9}).max_crashes == 9


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("Foo", "foo"),
        ("a", "a."),
        ("é", "e"),
        ("é", "e\u0301"),
        ("ß", "ss"),
        ("😀", "😁"),
        ("x", "x\u200d"),
        ("İ", "i"),
    ],
)
def test_task_names_compare_byte_for_byte(bench: Bench, mine: str, other: str) -> None:
    bench.insert(new_job(mine), new_job(other))
    assert [row.task for row in bench.find(task=mine)] == [mine]
    assert [row.task for row in bench.claim(tasks=(mine,))] == [mine]
    assert [row.task for row in bench.claim(tasks=(other,))] == [other]


@pytest.mark.parametrize(("mine", "other"), [("Q", "q"), ("q.", "q"), ("q-1", "q_1"), ("a:b", "a/b")])
def test_queue_names_compare_byte_for_byte(bench: Bench, mine: str, other: str) -> None:
    bench.insert(new_job(queue=mine), new_job(queue=other))
    bench.pause(other)
    assert [row.queue for row in bench.find(queue=mine)] == [mine]
    assert [row.queue for row in bench.claim()] == [mine]
    assert bench.claim(queues=[mine]) == []
    bench.pause(other, paused=False)
    assert bench.claim(queues=[mine]) == []
    assert [row.queue for row in bench.claim(queues=[other])] == [other]


def test_worker_names_compare_byte_for_byte(bench: Bench) -> None:
    bench.insert(new_job())
    assert bench.claim(worker="W") == []
    assert len(bench.claim(worker="w")) == 1


def test_a_long_name_is_a_name(bench: Bench) -> None:
    task, queue = "😀" * 200, "q" * 100
    bench.insert(new_job(task, queue), new_job(task[:-1] + "x", queue))
    assert [row.task for row in bench.claim(tasks=(task,), queues=[queue])] == [task]


def test_what_a_claim_took_is_free_again_when_it_is_rolled_back(bench: Bench) -> None:
    bench.insert(new_job())
    session = bench.open()
    (row,) = session.claim()
    session.rollback()
    again = bench.claim_one()
    assert again.attempt == 1
    assert bench.settle(done(again)) == []
    assert row.id == again.id
