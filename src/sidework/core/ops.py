"""Storage operations as generators: they yield statements, are sent rows, and return a result.

Stores write operations; the two loops of `sidework.drivers.base` drive them on any connection.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

Value = str | int | None
"""What may be a parameter: every handle adapts these three, whatever its settings."""

Row = Sequence[Any]
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text with `:name` parameters, and their values.

    `alone`, on an operation's first statement, says that it is atomic by itself, and so is what may follow it: a
    connection of ours sends them without BEGIN and COMMIT. `peek` says that it only reads, and needs no snapshot with what
    follows: peeks at the start of an operation are sent before BEGIN, so that looking takes no lock and an operation that
    finds nothing writes nothing.
    """

    sql: str
    params: Mapping[str, Value] = field(default_factory=dict)
    alone: bool = False
    peek: bool = False


Op = Generator[Statement, Rows, T]
"""A storage operation: yields statements, is sent the rows of each, returns T."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A statement's text in a driver's placeholder style, with the parameter names in order of appearance."""

    sql: str
    names: tuple[str, ...]


_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@lru_cache(maxsize=2048)
def render_pyformat(sql: str) -> Rendered:
    """The text with `%(name)s` placeholders, `%` doubled: psycopg, psycopg2, PyMySQL, mysqlclient, aiomysql, asyncmy, Django."""
    names = tuple(_PARAMETER.findall(sql))
    return Rendered(_PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")), names)


@lru_cache(maxsize=2048)
def render_numbered(sql: str) -> Rendered:
    """The text with `$1` placeholders, one number a name: asyncpg."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(sql)))
    numbers = {name: index for index, name in enumerate(names, start=1)}
    return Rendered(_PARAMETER.sub(lambda match: f"${numbers[match[1]]}", sql), names)
