"""A handler that ends or breaks its transaction by itself is noticed, and nothing is marked done."""

from __future__ import annotations

import pytest

from sidework import Ack
from sidework.errors import TransactionBroken, TransactionCommitted, Unavailable
from tests.transactional.till import SWALLOW, Till


@pytest.mark.parametrize(
    "steps",
    [
        ["write kept", "commit"],
        ["write kept", "commit", "write lost", "enqueue"],
        ["write kept", "sql commit", "sql begin", "write lost"],
        ["write kept", "commit", "write lost", "raise later"],
        ["write kept", "commit", "close"],
    ],
    ids=" ".join,
)
def test_a_handler_that_commits_fails_for_good_and_what_it_committed_stays(
    till: Till, kind: str, steps: list[str]
) -> None:
    ack = till.play(kind, *steps)
    assert isinstance(ack.exception, TransactionCommitted)
    assert (ack.job.state, till.words, till.children) == ("failed", ["kept"], 0)
    assert "committed its transaction itself" in till.app.jobs.get(ack.job.id).errors[0].message
    assert till.app.work_once() is None


@pytest.mark.parametrize(
    "steps",
    [
        ["write lost", "rollback"],
        ["write lost", "enqueue", "rollback", "write lost too"],
        ["write lost", "sql rollback", "sql begin", "write lost too"],
    ],
    ids=" ".join,
)
def test_a_handler_that_rolls_back_has_a_failed_attempt(till: Till, kind: str, steps: list[str]) -> None:
    ack = till.play(kind, *steps)
    assert isinstance(ack.exception, TransactionBroken)
    assert (ack.job.state, ack.job.attempt, till.words, till.children) == ("waiting", 1, [], 0)


def test_a_handler_that_closes_its_connection_has_a_failed_attempt(till: Till, kind: str) -> None:
    ack = till.play(kind, "write lost", "enqueue", "close")
    assert ack.exception is not None
    assert (ack.job.state, till.words, till.children) == ("waiting", [], 0)


def test_a_swallowed_error_is_believed_only_where_the_database_goes_on(till: Till, kind: str) -> None:
    till.execute("insert into words values ('taken')")
    ack = till.play(kind, "write first", SWALLOW)
    if till.database == "postgresql":
        assert isinstance(ack.exception, TransactionBroken)
        assert (ack.job.state, till.words) == ("waiting", ["taken"])
    else:
        assert (ack.job.state, till.words) == ("done", ["first", "taken"])


def test_ddl_is_a_commit_on_mysql_and_part_of_the_transaction_elsewhere(till: Till, kind: str) -> None:
    ack = till.play(kind, "write first", "sql create table more (x int)")
    if till.database == "mysql":
        assert isinstance(ack.exception, TransactionCommitted)
        assert (ack.job.state, till.words) == ("failed", ["first"])
    else:
        assert (ack.job.state, till.words) == ("done", ["first"])


@pytest.mark.parametrize("steps", [["write lost", "call kill"], ["write lost", "call kill", "write lost too"]])
def test_a_session_that_is_killed_is_a_failed_attempt(till: Till, kind: str, steps: list[str]) -> None:
    if till.database == "sqlite":  # which has no sessions to kill: the nearest is another thread that closes it
        assert _closed_by_another(till, kind, steps).job.state == "waiting"
        return
    till.calls["kill"] = till.kill
    ack = till.play(kind, *steps)
    assert ack.exception is not None
    assert (ack.job.state, ack.job.attempt, till.words) == ("waiting", 1, [])
    if len(steps) == 2:
        assert isinstance(ack.exception, Unavailable)


def _closed_by_another(till: Till, kind: str, steps: list[str]) -> Ack:
    return till.play(kind, *("close" if step == "call kill" else step for step in steps))


def test_what_was_taken_away_meanwhile_is_rolled_back(till: Till, kind: str) -> None:
    till.calls["lose"] = till.lose
    if till.database == "sqlite":
        if kind == "coroutine":  # its transaction is open from the start, and nobody else can write then
            kind = "plain"
        ack = till.play(kind, "call lose", "write lost", "enqueue")
    else:
        ack = till.play(kind, "write lost", "enqueue", "call lose")
    stored = till.app.jobs.get(ack.job.id)
    assert (stored.state, stored.crashes, till.words, till.children) == ("waiting", 1, [], 0)
    assert till.app.drain()[0].job.id == stored.id
