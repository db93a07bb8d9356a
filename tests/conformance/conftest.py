"""`bench`: the store and the driver under test, on empty tables of its own in each test."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.bench import Bench
from tests.conformance.lines import Line
from tests.conformance.pairs import PAIRS, SERVERS, STORES, Pair
from tests.conformance.tables import SpareTables
from tests.servers.mariadb import MariaAdmin
from tests.servers.plugin import MARIADB, POSTGRES, SHARED
from tests.servers.postgres import PostgresAdmin

MakeBench = Callable[[Pair], Bench]

KEPT = 8
"""Pools of each pair that are kept for the next test."""


@pytest.fixture(scope="session")
def spare_tables() -> SpareTables:
    """Tables on the servers that tests have left and that were emptied: making some takes longer than most tests."""
    return SpareTables(names=(f"c{number}x" for number in itertools.count(1)), left=defaultdict(list))


@pytest.fixture(scope="session")
def shared_postgres(request: pytest.FixtureRequest, database_names: Iterator[str]) -> Iterator[str]:
    """One database for the folder, because a schema is made quicker than a database."""
    admin = PostgresAdmin(request.config.stash[SHARED].url(POSTGRES))
    name = next(database_names)
    yield admin.create_database(name)
    admin.drop_database(name)


@pytest.fixture(scope="session")
def shared_mysql(request: pytest.FixtureRequest, database_names: Iterator[str]) -> Iterator[str]:
    admin = MariaAdmin(request.config.stash[SHARED].url(MARIADB))
    name = next(database_names)
    yield admin.create_database(name)
    admin.drop_database(name)


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Pair], str]:
    def url(pair: Pair) -> str:
        if pair.database == "memory":
            return "sqlite://"
        if pair.database == "sqlite":
            return f"sqlite:///{tmp_path / 'sidework.db'}"
        found: str = request.getfixturevalue(f"shared_{pair.database}")
        return found

    return url


@pytest.fixture(scope="session")
def idle_lines() -> Iterator[dict[str, list[Line]]]:
    """Connections to the servers that tests have left, by pair: making some takes longer than most tests."""
    idle: dict[str, list[Line]] = defaultdict(list)
    yield idle
    for lines in idle.values():
        for line in lines:
            line.close()


@pytest.fixture
def lines(idle_lines: dict[str, list[Line]]) -> Iterator[list[tuple[Pair, Line]]]:
    """Every connection of the test."""
    lines: list[tuple[Pair, Line]] = []
    yield lines
    for pair, line in lines:
        line.reset()
        if pair in SERVERS and len(idle_lines[pair.name]) < KEPT:
            idle_lines[pair.name].append(line)
        else:
            line.close()


@pytest.fixture
def make_on(
    url_of: Callable[[Pair], str], lines: list[tuple[Pair, Line]], idle_lines: dict[str, list[Line]]
) -> Callable[[Pair, str], Bench]:
    """Makes benches on tables of a name, which may not be there."""

    def make(pair: Pair, name: str) -> Bench:
        connect = pair.lines(url_of(pair))

        def open_line() -> Line:
            line = idle_lines[pair.name].pop() if idle_lines[pair.name] else connect()
            lines.append((pair, line))
            return line

        return Bench(pair.make_store(name), open_line)

    return make


@pytest.fixture
def make_bare(make_on: Callable[[Pair, str], Bench], spare_tables: SpareTables) -> MakeBench:
    """Makes benches without tables."""
    return lambda pair: make_on(pair, next(spare_tables.names))


@pytest.fixture
def make_fresh(make_bare: MakeBench) -> MakeBench:
    """Makes benches with new tables, and a worker `w` that lives for a day."""

    def make(pair: Pair) -> Bench:
        bench = make_bare(pair)
        bench.run(bench.store.migrate)
        bench.register()
        return bench

    return make


@pytest.fixture
def make_bench(
    make_on: Callable[[Pair, str], Bench], spare_tables: SpareTables, lines: list[tuple[Pair, Line]]
) -> Iterator[MakeBench]:
    """The same on tables that may have been used before."""
    used: list[tuple[Pair, str, Bench]] = []

    def make(pair: Pair) -> Bench:
        name, is_new = spare_tables.take(pair)
        bench = make_on(pair, name)
        used.append((pair, name, bench))
        if is_new:
            bench.run(bench.store.migrate)
        bench.register()
        return bench

    yield make
    for _, line in lines:
        line.reset()
    for pair, name, bench in used:
        if pair in SERVERS:
            spare_tables.give(pair, name, bench)


@pytest.fixture(params=PAIRS, ids=lambda pair: pair.name)
def bench(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    """Every store with every driver of ours."""
    return make_bench(request.param)


@pytest.fixture(params=SERVERS, ids=lambda pair: pair.name)
def server_bench(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    """Where several transactions write at the same time."""
    return make_bench(request.param)


@pytest.fixture(params=STORES, ids=lambda pair: pair.name)
def store_bench(request: pytest.FixtureRequest, make_fresh: MakeBench) -> Bench:
    """Every store once."""
    return make_fresh(request.param)


@pytest.fixture(params=PAIRS, ids=lambda pair: pair.name)
def bare(request: pytest.FixtureRequest, make_bare: MakeBench) -> Bench:
    """A database without our tables."""
    return make_bare(request.param)
