"""Reading the SQL files of a store: one statement a file, loaded at first use, with the schema's name and the clock put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from sidework.core.store import Migration


class SqlFiles:
    """The statements of one folder by file name: `sql("claim_jobs")` is the text of `claim_jobs.sql`.

    `macros` replace `{name}` in every text; their values are constants or validated identifiers, never data.
    """

    def __init__(self, package: str, macros: Mapping[str, str]) -> None:
        self._folder = files(package)
        self._macros = dict(macros)
        self._texts: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        text = self._texts.get(name)
        if text is None:
            text = self._texts[name] = self._read(self._folder / "sql" / f"{name}.sql")
        return text

    def migrations(self) -> tuple[Migration, ...]:
        """The numbered migrations beside the statements, in order."""
        folder = self._folder / "migrations"
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".up.sql"))
        return tuple(self._migration(folder, name.removesuffix(".up.sql")) for name in names)

    def _migration(self, folder: Traversable, name: str) -> Migration:
        up, down = (split_statements(self._read(folder / f"{name}.{way}.sql")) for way in ("up", "down"))
        version = int(name.split("_", maxsplit=1)[0])
        literals = {"version": str(version), "name": f"'{name}'", "now": "null"}
        record = _PARAMETER.sub(lambda match: literals[match[1]], self("record_migration"))
        return Migration(version=version, name=name, up=up, down=down, record=record)

    def _read(self, path: Traversable) -> str:
        text = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("--"))
        return _MACRO.sub(lambda match: self._macros[match[1]], text).strip()


_MACRO = re.compile(r"\{(\w+)\}")
_PARAMETER = re.compile(r":(\w+)")


def split_statements(text: str) -> tuple[str, ...]:
    r"""The statements of a migration file: each ends with a semicolon before a blank line.

    >>> split_statements("create table a (x int);\n\ndrop table b;")
    ('create table a (x int)', 'drop table b')
    """
    return tuple(part.strip().rstrip(";") for part in re.split(r";\s*\n\s*\n", text) if part.strip().rstrip(";"))
