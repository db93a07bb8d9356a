"""What option texts mean: durations, points in time, and the JSON of arguments; each is a click callback."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import click

from sidework.core.job import JobState

STATES = tuple(state.value for state in JobState)

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """The seconds of `90`, `1.5h` or `7d`."""
    del ctx, param
    if value is None:
        return None
    match = _DURATION.fullmatch(value.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise click.BadParameter(f"expected seconds, or a number with s, m, h, d or w such as 7d, got {value!r}")
    return float(match[1]) * _UNITS[match[2]]


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """The aware datetime of an ISO 8601 text; without an offset it is this machine's time."""
    del ctx, param
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"expected a time such as 2030-01-31T14:00+01:00, got {value!r}") from None


def arguments(ctx: click.Context, param: click.Parameter, value: str) -> tuple[list[Any], dict[str, Any]]:
    """The positional and named arguments of a JSON list or object."""
    del ctx, param
    try:
        given = json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"expected JSON, got {value!r}: {error}") from None
    if isinstance(given, list):
        return given, {}
    if isinstance(given, dict):
        return [], given
    raise click.BadParameter(f'expected a list such as [1, "x"] or an object such as {{"x": 1}}, got {value!r}')
