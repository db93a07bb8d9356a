"""How many statements the hot operations send, whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sidework.core.job import JobRow
from sidework.core.lifecycle import DONE, Settlement, Step, Verdict, settle
from sidework.core.ops import Op, Statement, T
from sidework.core.store import Claimed
from tests.conformance.bench import Bench
from tests.conformance.builders import claim, new_job, new_jobs


def counted(op: Op[T], sent: list[Statement]) -> Op[T]:
    """The operation, its statements noted on the way."""
    try:
        statement = next(op)
        while True:
            sent.append(statement)
            statement = op.send((yield statement))
    except StopIteration as stop:
        result: T = stop.value
        return result


def statements(bench: Bench, op: Op[Any]) -> tuple[int, Any]:
    """How many statements an operation sends, and its result."""
    sent: list[Statement] = []
    result = bench.run(lambda: counted(op, sent))
    return len(sent), result


def mixed(rows: Sequence[JobRow]) -> list[Settlement]:
    """Every other one done, the rest retried."""
    retried = Verdict(Step.RETRY, delay=60.0)
    return [settle(row, DONE if number % 2 else retried, errors=None) for number, row in enumerate(rows)]


def test_one_enqueue_is_one_statement(bench: Bench) -> None:
    sent, _ = statements(bench, bench.store.insert_jobs([new_job()]))
    assert sent == 1


def test_a_thousand_jobs_are_one_statement_too(bench: Bench) -> None:
    sent, _ = statements(bench, bench.store.insert_jobs(new_jobs(1000)))
    assert sent == 1


def test_a_claim_and_a_settlement_of_many_send_what_those_of_a_few_send(bench: Bench) -> None:
    bench.insert_all(new_jobs(600))
    costs = []
    for limit in (2, 2, 500):  # the first one ever may do a little more or less
        claiming, claimed = statements(bench, bench.store.claim_jobs(claim(limit)))
        assert isinstance(claimed, Claimed)
        assert len(claimed.rows) == limit
        settling, refused = statements(bench, bench.store.settle_jobs(mixed(claimed.rows)))
        assert refused == []
        costs.append((claiming, settling))
    assert costs[1] == costs[2]
