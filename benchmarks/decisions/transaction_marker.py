"""Decision 4: how many transactional jobs a second one connection does, by what its sentinel leaves as a marker.

`python -m benchmarks.decisions.transaction_marker` runs the same transaction with PostgreSQL's own transaction id, with
a row that is inserted and deleted in it, and with no sentinel at all, in turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import LiteralString

import psycopg

from benchmarks.targets import opened

JOBS = 2000
ROUNDS = 7

SAVEPOINT, RELEASE = "savepoint sentinel", "release savepoint sentinel"
SETTLE = "delete from jobs where id = %(id)s and token = 1"

SIDES: Mapping[str, tuple[Sequence[LiteralString], Sequence[LiteralString]]] = {
    "transaction id": (("select CAST(pg_current_xact_id() AS text)", SAVEPOINT), (RELEASE,)),
    "row in and out": (
        ("insert into markers (id, token) values (%(id)s, 1)", SAVEPOINT),
        (RELEASE, "delete from markers where id = %(id)s and token = 1"),
    ),
    "no sentinel": ((), ()),
}
"""What is sent before the handler's own statement, and after it."""


def main() -> None:
    with opened("postgresql") as target, target.fresh() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table effects (n integer)")
        connection.execute("create table markers (id bigint, token bigint, primary key (id, token))")
        rates: dict[str, list[float]] = {name: [] for name in SIDES}
        for turn in range(ROUNDS):
            for name in list(SIDES)[:: 1 if turn % 2 == 0 else -1]:
                connection.execute("truncate effects, markers")
                connection.execute("drop table if exists jobs")
                connection.execute("create table jobs (id integer primary key, token bigint)")
                connection.execute("insert into jobs select n, 1 from generate_series(1, %s) as n", [JOBS])
                connection.execute("vacuum analyze jobs")
                rates[name].append(_rate(connection, name))
        print(f"PostgreSQL {target.version}; {target.settings}; one connection, {JOBS} jobs, {ROUNDS} rounds\n")
        for name, values in rates.items():
            print(f"{name}: {statistics.median(values):,.0f} jobs/s ({min(values):,.0f} to {max(values):,.0f})")


def _rate(connection: psycopg.Connection, name: str) -> float:
    before, after = SIDES[name]
    statements = ("begin", *before, "insert into effects (n) values (1)", *after, SETTLE, "commit")
    began = time.monotonic()
    for number in range(1, JOBS + 1):
        for statement in statements:
            connection.execute(statement, {"id": number} if "%" in statement else None)
    return JOBS / (time.monotonic() - began)


if __name__ == "__main__":
    main()
