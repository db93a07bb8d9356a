"""Making and removing the tables, one process at a time."""

from __future__ import annotations

import re

from sidework.core.ops import Op, Statement, T
from sidework.errors import SchemaError
from sidework.stores.mysql.statements import Statements
from sidework.stores.rows import as_text

OLDEST_MYSQL = (8, 0, 13)
OLDEST_MARIADB = (10, 6, 0)
"""The first with SKIP LOCKED and JSON_TABLE."""


class Schema:
    """The schema's operations on the tables of one store."""

    def __init__(self, sql: Statements) -> None:
        self._sql = sql
        self.migrations = sql.migrations()

    def version(self) -> Op[int]:
        """The version that is there, 0 when none."""
        [[exists]] = yield self._sql.peek("schema_exists")
        if not int(exists):
            return 0
        [[version]] = yield self._sql.peek("schema_version")
        return int(version)

    def migrate(self) -> Op[int]:
        """Bring the tables to the newest version; a server that is too old is refused before anything is made."""
        [[version]] = yield self._sql.peek("server_version")
        check_version(as_text(version))
        return (yield from self._under_lock(self._migrate()))

    def drop(self) -> Op[None]:
        """Remove every table."""
        yield from self._under_lock(self._drop())

    def _migrate(self) -> Op[int]:
        version = yield from self.version()
        for migration in self.migrations:
            if migration.version > version:
                for sql in migration.up:
                    yield Statement(sql)
                version = migration.version
                yield self._sql("record_migration", {"version": version, "name": migration.name})
        return version

    def _drop(self) -> Op[None]:
        for migration in reversed(self.migrations):
            for sql in migration.down:
                yield Statement(sql)

    def _under_lock(self, work: Op[T]) -> Op[T]:
        rows = yield self._sql("schema_lock")
        if not rows[0][0]:
            raise SchemaError(
                "another process has been changing the Sidework tables for 30 s; wait for it, then try again"
            )
        try:
            result = yield from work
        except GeneratorExit:
            raise
        except BaseException:
            yield self._sql("schema_unlock")
            raise
        yield self._sql("schema_unlock")
        return result


def check_version(text: str) -> None:
    """Raise SchemaError for a server that lacks what the statements need.

    >>> check_version("5.7.44-log")
    Traceback (most recent call last):
    sidework.errors.SchemaError: MySQL 5.7.44-log is too old: Sidework needs MySQL 8.0.13 or MariaDB 10.6, or newer
    """
    name, oldest = ("MariaDB", OLDEST_MARIADB) if "mariadb" in text.lower() else ("MySQL", OLDEST_MYSQL)
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", text)
    if found is None or tuple(map(int, found.groups())) < oldest:
        raise SchemaError(f"{name} {text} is too old: Sidework needs MySQL 8.0.13 or MariaDB 10.6, or newer")
