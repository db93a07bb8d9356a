"""Decision 5: what taking a connection and giving it back costs, in our pool and in two others, on PostgreSQL.

`python -m benchmarks.decisions.own_pool` prints microseconds a turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine

from benchmarks.targets import opened
from sidework.drivers.owned import Owned
from sidework.drivers.psycopg import connect_psycopg

TURNS = 2000
ROUNDS = 7


def main() -> None:
    with opened("postgresql") as target, target.fresh() as url:
        owned = Owned(lambda: connect_psycopg(url))
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        pinged = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), pool_pre_ping=True)
        with (
            ConnectionPool(url, min_size=1, open=True) as pool,
            ConnectionPool(url, min_size=1, open=True, check=ConnectionPool.check_connection) as checked,
        ):
            turns: Mapping[str, Callable[[], None]] = {
                "ours (looks at the socket)": lambda: owned.give(owned.take()),
                "psycopg_pool, unchecked": lambda: pool.putconn(pool.getconn()),
                "psycopg_pool, checked": lambda: checked.putconn(checked.getconn()),
                "SQLAlchemy, unchecked": lambda: engine.raw_connection().close(),
                "SQLAlchemy, pre-ping": lambda: pinged.raw_connection().close(),
            }
            rates: dict[str, list[float]] = {name: [] for name in turns}
            for _ in range(ROUNDS):
                for name, turn in turns.items():
                    rates[name].append(_microseconds(turn))
        owned.close()
        engine.dispose()
        pinged.dispose()
        print(f"PostgreSQL {target.version}; {TURNS} turns, {ROUNDS} rounds\n")
        for name, values in rates.items():
            print(f"{name}: {statistics.median(values):.0f} µs ({min(values):.0f} to {max(values):.0f})")


def _microseconds(turn: Callable[[], None]) -> float:
    turn()
    began = time.monotonic()
    for _ in range(TURNS):
        turn()
    return (time.monotonic() - began) / TURNS * 1_000_000


if __name__ == "__main__":
    main()
