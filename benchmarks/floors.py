"""The floor: the fewest bare statements that do the work of a job queue on each database, in one table and one for done.

Nothing here retries, fences, checks or recovers: it is what the database and its client library can do at best, and
what Sidework's figures are held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.targets import connect, execute


class Floor(Protocol):
    """A bare job table on one connection; a row is an id and a payload."""

    connection: Any

    def create(self) -> None:
        """Make the tables."""
        ...

    def begin(self) -> None:
        """Begin, on a connection in autocommit."""
        ...

    def commit(self) -> None:
        """Commit."""
        ...

    def insert(self, payload: str) -> None:
        """Store one job, and tell sleepers where the database can."""
        ...

    def insert_many(self, payloads: Sequence[str]) -> None:
        """Store a thousand."""
        ...

    def claim(self, limit: int) -> list[tuple[int, str]]:
        """Take due jobs, committed."""
        ...

    def take(self) -> tuple[int, str] | None:
        """Lock one job in the open transaction."""
        ...

    def finish(self, ids: Sequence[int]) -> None:
        """Move jobs to the table of finished ones."""
        ...


def open_floor(url: str, *, autocommit: bool = True) -> Floor:
    """The floor of the URL's database."""
    kinds: dict[str, type[PostgresFloor | MariaFloor | SqliteFloor]] = {
        "postgresql": PostgresFloor,
        "mysql": MariaFloor,
        "sqlite": SqliteFloor,
    }
    return kinds[url.partition("://")[0]](connect(url, autocommit=autocommit))


class PostgresFloor:
    """One statement for each step."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def create(self) -> None:
        execute(
            self.connection,
            "create table floor_jobs (id bigint generated always as identity primary key, queue text not null default 'q',"
            " state smallint not null default 0, priority integer not null default 0,"
            " run_at timestamptz not null default now(), payload text not null, attempt integer not null default 0,"
            " worker text, started_at timestamptz)",
        )
        execute(
            self.connection,
            "create index floor_due on floor_jobs (queue, priority desc, run_at, id) where state = 0",
        )
        execute(
            self.connection,
            "create table floor_done (id bigint primary key, queue text, payload text, attempt integer, worker text,"
            " started_at timestamptz, finished_at timestamptz)",
        )
        execute(self.connection, "create table effects (n integer)")

    def begin(self) -> None:
        execute(self.connection, "begin")

    def commit(self) -> None:
        execute(self.connection, "commit")

    def insert(self, payload: str) -> None:
        execute(
            self.connection,
            "with stored as (insert into floor_jobs (payload) values (%s) returning id)"
            " select id, pg_notify('floor', '') from stored",
            payload,
        )

    def insert_many(self, payloads: Sequence[str]) -> None:
        execute(
            self.connection,
            "insert into floor_jobs (payload) select unnest(CAST(%s AS text[])) returning id",
            list(payloads),
        ).fetchall()

    def claim(self, limit: int) -> list[tuple[int, str]]:
        rows: list[tuple[int, str]] = execute(
            self.connection,
            "update floor_jobs as j set state = 1, attempt = attempt + 1, worker = 'w', started_at = now() from ("
            "select id from floor_jobs where state = 0 and queue = 'q' and run_at <= now()"
            " order by priority desc, run_at, id limit %s for update skip locked) as due"
            " where j.id = due.id returning j.id, j.payload",
            limit,
        ).fetchall()
        return rows

    def take(self) -> tuple[int, str] | None:
        row: tuple[int, str] | None = execute(
            self.connection,
            "select id, payload from floor_jobs where state = 0 and queue = 'q' and run_at <= now()"
            " order by priority desc, run_at, id limit 1 for update skip locked",
        ).fetchone()
        return row

    def finish(self, ids: Sequence[int]) -> None:
        execute(
            self.connection,
            "with gone as (delete from floor_jobs where id = any(%s)"
            " returning id, queue, payload, attempt, worker, started_at)"
            " insert into floor_done select gone.*, now() from gone",
            list(ids),
        )


class MariaFloor:
    """A claim locks, marks and commits; a finish copies, deletes and commits."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def create(self) -> None:
        execute(
            self.connection,
            "create table floor_jobs (id bigint auto_increment primary key, queue varbinary(100) not null default 'q',"
            " state tinyint not null default 0, priority integer not null default 0,"
            " run_at datetime(6) not null default current_timestamp(6), payload text not null,"
            " attempt integer not null default 0, worker varchar(64), started_at datetime(6),"
            " key floor_due (queue, state, priority, run_at, id)) engine = InnoDB",
        )
        execute(
            self.connection,
            "create table floor_done (id bigint primary key, queue varbinary(100), payload text, attempt integer,"
            " worker varchar(64), started_at datetime(6), finished_at datetime(6)) engine = InnoDB",
        )
        execute(self.connection, "create table effects (n integer) engine = InnoDB")

    def begin(self) -> None:
        self.connection.begin()

    def commit(self) -> None:
        self.connection.commit()

    def insert(self, payload: str) -> None:
        execute(self.connection, "insert into floor_jobs (payload) values (%s)", payload)

    def insert_many(self, payloads: Sequence[str]) -> None:
        # PyMySQL sends many rows as one statement.
        with self.connection.cursor() as cursor:
            cursor.executemany("insert into floor_jobs (payload) values (%s)", [(payload,) for payload in payloads])

    def claim(self, limit: int) -> list[tuple[int, str]]:
        self.begin()
        rows = self._due(limit)
        if rows:
            ids = [id for id, _ in rows]
            execute(
                self.connection,
                "update floor_jobs set state = 1, attempt = attempt + 1, worker = 'w', started_at = now(6) where id in %s",
                ids,
            )
        self.commit()
        return rows

    def take(self) -> tuple[int, str] | None:
        rows = self._due(1)
        return rows[0] if rows else None

    def finish(self, ids: Sequence[int]) -> None:
        execute(
            self.connection,
            "insert into floor_done select id, queue, payload, attempt, worker, started_at, now(6)"
            " from floor_jobs where id in %s",
            list(ids),
        )
        execute(self.connection, "delete from floor_jobs where id in %s", list(ids))

    def _due(self, limit: int) -> list[tuple[int, str]]:
        sql = (
            "select id, payload from floor_jobs where queue = 'q' and state = 0 and run_at <= now(6)"
            " order by priority, run_at, id limit %s for update skip locked"
        )
        return list(execute(self.connection, sql, limit).fetchall())


class SqliteFloor:
    """One statement a claim; a finish copies and deletes."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def create(self) -> None:
        execute(
            self.connection,
            "create table floor_jobs (id integer primary key, queue text not null default 'q',"
            " state integer not null default 0, priority integer not null default 0,"
            " run_at integer not null default (unixepoch()), payload text not null, attempt integer not null default 0,"
            " worker text, started_at integer)",
        )
        execute(
            self.connection,
            "create index floor_due on floor_jobs (queue, priority desc, run_at, id) where state = 0",
        )
        execute(
            self.connection,
            "create table floor_done (id integer primary key, queue text, payload text, attempt integer, worker text,"
            " started_at integer, finished_at integer)",
        )
        execute(self.connection, "create table effects (n integer)")

    def begin(self) -> None:
        execute(self.connection, "begin immediate")

    def commit(self) -> None:
        execute(self.connection, "commit")

    def insert(self, payload: str) -> None:
        execute(self.connection, "insert into floor_jobs (payload) values (?)", payload)

    def insert_many(self, payloads: Sequence[str]) -> None:
        self.connection.executemany("insert into floor_jobs (payload) values (?)", [(payload,) for payload in payloads])

    def claim(self, limit: int) -> list[tuple[int, str]]:
        rows: list[tuple[int, str]] = execute(
            self.connection,
            "update floor_jobs set state = 1, attempt = attempt + 1, worker = 'w', started_at = unixepoch() where id in ("
            "select id from floor_jobs where state = 0 and queue = 'q' and run_at <= unixepoch()"
            " order by priority desc, run_at, id limit ?) returning id, payload",
            limit,
        ).fetchall()
        return rows

    def take(self) -> tuple[int, str] | None:
        row: tuple[int, str] | None = execute(
            self.connection,
            "select id, payload from floor_jobs where state = 0 and queue = 'q' and run_at <= unixepoch()"
            " order by priority desc, run_at, id limit 1",
        ).fetchone()
        return row

    def finish(self, ids: Sequence[int]) -> None:
        self.connection.executemany(
            "insert into floor_done select id, queue, payload, attempt, worker, started_at, unixepoch()"
            " from floor_jobs where id = ?",
            [(id,) for id in ids],
        )
        self.connection.executemany("delete from floor_jobs where id = ?", [(id,) for id in ids])
