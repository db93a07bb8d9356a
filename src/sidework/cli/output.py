"""What commands print: tables for people, JSON for programs, and times as people say them."""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 1000
"""Columns where nobody looks: a program that reads a table wants it whole."""

MINUTE, HOUR, DAY = 60, 3600, 86_400

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    """Print a value as JSON, records as objects."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows below headings, cut to the terminal's width; the first column is never cut."""
    if not rows:
        click.echo(empty)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        widest = max(len(clean(str(row[number]))) for row in rows)
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=None if number else widest)
    for row in rows:
        # As Text, because what users store is not markup.
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False).print(table)


def plain(value: object) -> Any:
    """A value as JSON has it: records become objects, times ISO texts, bytes base64; the rest its repr.

    >>> plain({"at": timedelta(minutes=1), 2: (Decimal("1.50"), b"x")})
    {'at': 60.0, '2': ['1.50', 'eA==']}
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, AbstractSet)):
        return [plain(entry) for entry in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    match value:
        case timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode()
        case UUID() | Decimal():
            return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def clean(text: str, *, keep: str = "") -> str:
    r"""The text with control characters shown, so that what a job stored cannot steer a terminal.

    >>> clean("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return "".join(char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text)


def span(seconds: float) -> str:
    """A duration in one unit.

    >>> span(0.0421), span(4.2), span(200), span(7200), span(200_000)
    ('42 ms', '4.2 s', '3 min', '2 h', '2 days')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.3g} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def moment(at: datetime | None, now: datetime) -> str:
    """A time beside now: `3 min ago`, `in 2 h`, or a dash."""
    if at is None:
        return "-"
    seconds = (at - now).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def full_moment(at: datetime | None, now: datetime) -> str | None:
    """The same, with the time itself on this machine's clock; None stays None."""
    if at is None:
        return None
    return f"{at.astimezone().isoformat(' ', timespec='milliseconds')} ({moment(at, now)})"
