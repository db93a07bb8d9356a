"""Tables on a server that one test leaves to the next, empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.conformance.bench import Bench
from tests.conformance.pairs import Pair

KEPT = ("migrations", "tokens")
"""What stays: the version, and the numbers that are never given twice."""

GROWN = 500
"""Jobs after which tables are left where they are: what is deleted slows down what comes."""

TABLES = {
    "postgres": """
        select '"' || table_schema || '".' || table_name from information_schema.tables
        where table_schema = :name and table_type = 'BASE TABLE'
    """,
    "mysql": """
        select table_name from information_schema.tables
        where table_schema = database() and table_name like concat(:name, '%') and table_type = 'BASE TABLE'
    """,
}


@dataclass
class SpareTables:
    """Names that nobody uses, and those of empty tables, by database."""

    names: Iterator[str]
    left: dict[str, list[str]]

    def take(self, pair: Pair) -> tuple[str, bool]:
        """A name, and whether its tables have to be made."""
        if self.left[pair.database]:
            return self.left[pair.database].pop(), False
        return next(self.names), True

    def give(self, pair: Pair, name: str, bench: Bench) -> None:
        """Empty the tables and keep them for another test, unless they have grown."""
        with bench.transaction() as session:
            found = [str(row[0]) for row in session.execute(TABLES[pair.database], name=name)]
            [[jobs]] = session.execute(_count(found))
            if jobs > GROWN:
                return
            for table in found:
                if not table.endswith(KEPT):
                    session.execute(f"delete from {table}")
        self.left[pair.database].append(name)


def _count(tables: list[str]) -> str:
    counts = [f"(select count(*) from {table})" for table in tables if table.endswith(("jobs", "history"))]
    return f"select {' + '.join(counts)}"
