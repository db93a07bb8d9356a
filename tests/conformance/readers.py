"""How much of the tables an operation reads, by each database's own account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sidework.core.ops import Op, Statement, T
from tests.conformance.bench import Session

Make = Callable[[], Op[Any]]

STEP = 10
"""SQLite is asked about every so many instructions of its machine."""


def rows_read(session: Session, make: Make) -> int:
    """Rows (on SQLite: instructions, of which a row takes several) that the operation needs."""
    return _READERS[session.store.database](session, make)


def _postgres(session: Session, make: Make) -> int:
    plans: list[Any] = []
    session.drive(lambda: _explained(make(), plans))
    nodes = [node for plan in plans for node in _nodes(plan[0]["Plan"])]
    scans = [node for node in nodes if node.get("Relation Name") in {"jobs", "history"}]
    if any(node["Node Type"] == "Seq Scan" for node in scans):
        return 10**9  # which was cheap only because the test's tables are small
    return sum(round(_rows(node) * node["Actual Loops"]) for node in scans)


def _explained(op: Op[T], plans: list[Any]) -> Op[T]:
    """The operation, each of whose statements is tried and undone under EXPLAIN before it is run."""
    try:
        statement = next(op)
        while True:
            yield Statement("savepoint before_it")
            [[plan]] = yield Statement(f"explain (analyze, format json) {statement.sql}", statement.params)
            plans.append(plan)
            yield Statement("rollback to savepoint before_it")
            rows = yield statement
            statement = op.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: dict[str, Any]) -> float:
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(node["Actual Rows"] + sum(node.get(name, 0) for name in removed))


def _mysql(session: Session, make: Make) -> int:
    first = _handler_reads(session)
    cost = _handler_reads(session) - first
    before = _handler_reads(session)
    session.drive(make)
    return _handler_reads(session) - before - cost


def _handler_reads(session: Session) -> int:
    return sum(int(value) for _, value in session.execute("show session status like 'Handler_read%'"))


def _sqlite(session: Session, make: Make) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += STEP
        return 0

    session.raw.set_progress_handler(count, STEP)
    try:
        session.drive(make)
    finally:
        session.raw.set_progress_handler(None, STEP)
    return steps


_READERS: dict[str, Callable[[Session, Make], int]] = {"postgresql": _postgres, "mysql": _mysql, "sqlite": _sqlite}
