"""The cost of the hot operations does not depend on what waits, waits for a time, is unknown, is paused or is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidework.core.job import JobRow
from sidework.core.ops import Op, Statement
from sidework.core.store import Store
from tests.conformance.bench import Bench, Session
from tests.conformance.builders import DAY, T0, at, claim, done, lost, new_job, recorded, retried, worker
from tests.conformance.conftest import MakeBench
from tests.conformance.pairs import MYSQL, POSTGRES, STORES, Pair
from tests.conformance.readers import rows_read

MANY = 10_000

BOUND = {"postgresql": 600, "mysql": 600, "sqlite": 30_000}
"""Far from the tens of thousands of rows that are there; SQLite counts instructions, some dozens to a row."""

Make = Callable[[], Op[Any]]


@pytest.mark.parametrize("pair", STORES, ids=lambda pair: pair.name)
def test_hot_operations_read_few_rows_whatever_is_there(pair: Pair, make_fresh: MakeBench) -> None:
    bench = make_fresh(pair)
    running = _fill(bench)
    found = {name: _measure(bench, make) for name, make in _hot(bench.store, running).items()}
    bound = BOUND[bench.store.database]
    assert {name: rows for name, rows in found.items() if rows > bound} == {}, found


def test_hot_operations_read_few_rows_on_analyzed_tables_too(make_fresh: MakeBench) -> None:
    bench = make_fresh(POSTGRES)
    running = _fill(bench)
    schema = bench.store.migrations[0].up[0].split('"')[1]
    with bench.transaction() as session:
        session.execute(f'analyze "{schema}".jobs')
        session.execute(f'analyze "{schema}".history')
    found = {name: _measure(bench, make) for name, make in _hot(bench.store, running).items()}
    assert {name: rows for name, rows in found.items() if rows > BOUND["postgresql"]} == {}, found


def test_hot_operations_read_few_rows_of_one_lane_that_holds_everything(make_fresh: MakeBench) -> None:
    bench = make_fresh(POSTGRES)
    bench.register()
    bench.insert_all(new_job() for _ in range(MANY))
    running = bench.claim(10)
    schema = bench.store.migrations[0].up[0].split('"')[1]
    with bench.transaction() as session:
        session.execute(f'analyze "{schema}".jobs')
    hot = _hot(bench.store, running)
    found = {name: _measure(bench, hot[name]) for name in ("claim", "finish", "release")}
    assert {name: rows for name, rows in found.items() if rows > BOUND["postgresql"]} == {}, found


def test_a_claim_on_mysql_locks_little_more_than_it_takes_and_reads_no_table_without_an_index(
    make_fresh: MakeBench,
) -> None:
    bench = make_fresh(MYSQL)
    _fill(bench)
    log: list[Statement] = []
    session = bench.open()
    assert len(session.drive(lambda: recorded(bench.store.claim_jobs(claim(10)), log)).rows) == 10
    [[locked]] = session.execute(
        "select trx_rows_locked from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()"
    )
    assert 10 <= int(locked) <= 60
    large = [row for statement in log for row in _plan(session, statement) if int(row["rows"] or 0) > MANY // 10]
    assert [row for row in large if row["key"] is None] == []


def _hot(store: Store, running: list[JobRow]) -> dict[str, Make]:
    some = running[:10]
    return {
        "claim": lambda: store.claim_jobs(claim(10)),
        "claim of named queues": lambda: store.claim_jobs(claim(10, queues=["q3", "q1", "none"])),
        "claim of nothing": lambda: store.claim_jobs(claim(10, tasks=("nobody", "knows"))),
        "claim of a paused queue": lambda: store.claim_jobs(claim(10, queues=["paused"])),
        "claim of ten that have come due": lambda: store.claim_jobs(claim(10, now=at(1009.5))),
        "finish": lambda: store.settle_jobs([done(row) for row in some], T0),
        "release": lambda: store.settle_jobs([retried(row) for row in some], T0),
        "insert": lambda: store.insert_jobs([new_job() for _ in range(10)], T0),
        "beat": lambda: store.beat(worker(), first=False, now=T0),
        "rescue of nothing": lambda: store.rescue_jobs(lost, 10, T0),
        "rescue of ten": lambda: store.rescue_jobs(lost, 10, at(2 * DAY)),
    }


def _fill(bench: Bench) -> list[JobRow]:
    """Waiting, future, unknown, paused, running and finished jobs; returns the running ones."""
    bench.insert_all(new_job(queue=f"q{number % 5}") for number in range(300))
    rows = bench.claim(300)
    bench.settle(*(done(row) for row in rows[:200]))
    bench.insert_all(new_job(queue=f"q{number % 5}", priority=1) for number in range(MANY))
    bench.insert_all(new_job("unknown", f"q{number % 5}", priority=9) for number in range(MANY))
    bench.insert_all(new_job(queue="paused", priority=5) for _ in range(MANY))
    bench.insert_all(new_job(queue=f"q{number % 5}", delay=1000 + number) for number in range(MANY))
    bench.pause("paused")
    return rows[200:]


def _measure(bench: Bench, make: Make) -> int:
    session: Session = bench.open()
    try:
        return rows_read(session, make)
    finally:
        session.rollback()


def _plan(session: Session, statement: Statement) -> list[dict[str, Any]]:
    if not statement.sql.lower().startswith(("select", "insert", "update", "delete", "with")):
        return []
    names = ("id", "select_type", "table", "type", "possible_keys", "key", "key_len", "ref", "rows", "extra")
    rows = session.execute(f"explain {statement.sql}", **statement.params)
    return [dict(zip(names, row, strict=True)) for row in rows]
