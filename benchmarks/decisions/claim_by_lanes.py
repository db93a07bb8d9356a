"""Decision 2: what a claim costs on PostgreSQL by lanes, and by one index over all waiting jobs.

`python -m benchmarks.decisions.claim_by_lanes` prints milliseconds and pages by EXPLAIN (ANALYZE, BUFFERS), which is
rolled back each time, so that every claim meets the same table.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psycopg

from benchmarks.targets import opened
from sidework.core.ops import Rows, Statement, Value, render_pyformat
from sidework.core.store import Claim, WorkerRow
from sidework.drivers.base import drive
from sidework.drivers.psycopg import PsycopgHandle
from sidework.stores.postgres import PostgresStore

BATCHES = (1, 10, 500)
REPEATS = 7
KNOWN = {f"known.{number}": 3 for number in range(50)}
NOW = "CAST(extract(epoch from clock_timestamp()) * 1000000 AS bigint)"
HOUR = 3_600_000_000

PLAIN_TABLE = (
    "drop table if exists sidework.plain",
    "create table sidework.plain (like sidework.jobs including defaults)",
    "insert into sidework.plain select * from sidework.jobs",
    "alter table sidework.plain add primary key (id)",
    "create index on sidework.plain (queue, priority desc, run_at, seq) where stage < 2",
)

PLAIN_CLAIM = f"""
with picked as (
  select id
  from sidework.plain
  where stage < 2
    and [queues]
    and task = any (CAST(:tasks AS text[]))
    and run_at <= {NOW}
  order by priority desc, run_at, seq
  limit CAST(:limit AS bigint)
  for update skip locked
)
update sidework.plain as j
set stage = 2, attempt = j.attempt + 1, worker = 'w', token = nextval('sidework.tokens'), started_at = {NOW}
from picked
where j.id = picked.id
returning j.*
"""  # noqa: S608 - constants of this file

ONE_QUEUE = PLAIN_CLAIM.replace("[queues]", "queue = 'default'")
"""Where the index gives the order; with several queues there is an order over them, which has to be sorted."""

MANY_QUEUES = PLAIN_CLAIM.replace("[queues]", "queue = any (CAST(:queues AS text[]))")


@dataclass(frozen=True, slots=True)
class Cost:
    """One claim: milliseconds of planning and execution, pages of 8 kB touched."""

    planning: float
    execution: float
    pages: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Jobs to put into the table: `queue` and `task` are SQL over `n`, `due` is microseconds from now."""

    count: int
    queue: str = "'default'"
    task: str = "'known.0'"
    priority: int = 0
    due: int = -HOUR
    stage: int = 1


DUE = Fill(10_000)
CASES: Mapping[str, tuple[Fill, ...]] = {
    "10,000 due": (DUE,),
    "behind 1,000,000 future jobs of higher priority": (DUE, Fill(1_000_000, priority=9, due=HOUR, stage=0)),
    "behind 1,000,000 due jobs of an unknown task": (DUE, Fill(1_000_000, task="'unknown'", priority=9)),
    "50 tasks in one queue": (Fill(10_000, task="'known.' || n % 50"),),
    "50 queues of one task": (Fill(10_000, queue="'queue.' || n % 50"),),
    "10,000 that have just become due": (Fill(10_000, stage=0),),
    "nothing due, 1,000,000 future jobs": (Fill(1_000_000, due=HOUR, stage=0),),
}


def main() -> None:
    with opened("postgresql") as target, target.fresh() as url, psycopg.connect(url) as connection:
        store = PostgresStore("sidework")
        handle = PsycopgHandle(connection)
        drive(store.migrate(), handle.execute)
        drive(store.beat(WorkerRow("w", "here", 1, None, tuple(KNOWN), 1, 86_400), True), handle.execute)
        connection.commit()
        print(f"PostgreSQL {target.version}; {target.settings}; medians of {REPEATS}, warm\n")
        print("| table holds | batch | lanes: ms | pages | planning | one index: ms | pages | planning |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for case, fills in CASES.items():
            print(case, file=sys.stderr)
            _fill(connection, fills)
            for batch in BATCHES:
                lanes = _median(connection, lambda limit=batch: _claim_by_lanes(connection, store, limit))  # type: ignore[misc]
                plain = _median(connection, lambda limit=batch: _claim_plainly(connection, limit))  # type: ignore[misc]
                print(f"| {case} | {batch} | {_cells(lanes)} | {_cells(plain)} |", flush=True)


def _fill(connection: psycopg.Connection, fills: tuple[Fill, ...]) -> None:
    connection.execute("truncate sidework.jobs")
    for fill in fills:
        connection.execute(
            "insert into sidework.jobs (id, queue, task, payload, stage, priority, run_at, enqueued_at)"  # noqa: S608
            f" select gen_random_uuid(), {fill.queue}, {fill.task}, '[[1], {{}}]', {fill.stage}, {fill.priority},"
            f" {NOW} + {fill.due} + n, {NOW} from generate_series(1, {fill.count}) as n"
        )
    for statement in PLAIN_TABLE:
        connection.execute(statement)
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze sidework.jobs")
    connection.execute("vacuum analyze sidework.plain")
    connection.execute("checkpoint")
    connection.autocommit = False


def _claim_by_lanes(connection: psycopg.Connection, store: PostgresStore, limit: int) -> Iterator[Cost]:
    """The cost of each statement of the store's own claim, which is sent the rows that it answers."""
    costs: list[Cost] = []

    def execute(statement: Statement) -> Rows:
        costs.append(_explain(connection, statement))
        return PsycopgHandle(connection).execute(statement)

    drive(store.claim_jobs(Claim("w", KNOWN, limit)), execute)
    yield from costs


def _claim_plainly(connection: psycopg.Connection, limit: int) -> Iterator[Cost]:
    found = connection.execute("select distinct queue from sidework.plain").fetchall()
    queues = [name for (name,) in found]
    # As text in braces, which is how an array is written in SQL.
    params: dict[str, Value] = {"tasks": "{" + ",".join(KNOWN) + "}", "limit": limit}
    if queues == ["default"]:
        yield _explain(connection, Statement(ONE_QUEUE, params))
    else:
        yield _explain(connection, Statement(MANY_QUEUES, {**params, "queues": "{" + ",".join(queues) + "}"}))


def _explain(connection: psycopg.Connection, statement: Statement) -> Cost:
    sql = "explain (analyze, buffers, timing off, format json) " + render_pyformat(statement.sql).sql
    connection.execute("savepoint explained")
    [([plan],)] = connection.execute(sql, statement.params).fetchall()
    connection.execute("rollback to savepoint explained")
    pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return Cost(plan["Planning Time"], plan["Execution Time"], pages)


def _median(connection: psycopg.Connection, claim: Callable[[], Iterator[Cost]]) -> Cost:
    sums = []
    for _ in range(REPEATS + 1):
        costs = list(claim())
        connection.rollback()
        sums.append(Cost(*(sum(part) for part in zip(*map(_parts, costs), strict=True))))
    warm = sums[1:]
    return Cost(*(statistics.median(part) for part in zip(*map(_parts, warm), strict=True)))


def _parts(cost: Cost) -> tuple[float, float, int]:
    return cost.planning, cost.execution, cost.pages


def _cells(cost: Cost) -> str:
    return f"{cost.execution:.2f} | {cost.pages:,.0f} | {cost.planning:.2f}"


if __name__ == "__main__":
    main()
