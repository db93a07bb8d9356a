"""The tables: bring them to this release's version, remove them, or show the SQL that does it."""

from __future__ import annotations

from sidework.connect import Database


class Schema:
    """Behind `App.migrate`, `rollback`, `schema_version` and `migration_sql`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = database.store

    def migrate(self) -> int:
        """Bring the tables to this release's version; SchemaError where they are newer."""
        version = self._database.backend.owned.run(self._store.migrate)
        self._database.check_version(version)
        return version

    async def amigrate(self) -> int:
        """The same from a coroutine."""
        version = await self._database.backend.aowned.run(self._store.migrate)
        self._database.check_version(version)
        return version

    def rollback(self) -> None:
        """Remove them."""
        self._database.backend.owned.run(self._store.rollback)
        self._database.forget_version()

    async def arollback(self) -> None:
        """The same from a coroutine."""
        await self._database.backend.aowned.run(self._store.rollback)
        self._database.forget_version()

    def version(self) -> int:
        """The version that is there."""
        return self._database.backend.owned.run(self._store.schema_version)

    async def aversion(self) -> int:
        """The same from a coroutine."""
        return await self._database.backend.aowned.run(self._store.schema_version)

    def sql(self) -> str:
        """What `migrate` runs on an empty database."""
        steps = [statement for each in self._store.migrations for statement in (*each.up, each.record)]
        return "\n\n".join(f"{statement};" for statement in steps) + "\n"

    def plan(self) -> list[str]:
        """The migrations that `migrate` would run now."""
        return self._after(self.version())

    async def aplan(self) -> list[str]:
        """The same from a coroutine."""
        return self._after(await self.aversion())

    def _after(self, version: int) -> list[str]:
        return [f"{step.version:04} {step.name}" for step in self._store.migrations if step.version > version]
