"""How the value types of the standard library are written in their tags and read back; used by encode.py, decode.py."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sidework.core.codec.refusal import Refused, brief, class_title, error_title, malformed

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class ValueType:
    """One tagged value type: `load(dump(value))` is equal to `value`, of the same type and in every detail."""

    tag: str
    dump: Callable[[Any], Any]
    load: Callable[[Any], object]


def load_value(kind: ValueType, data: object) -> object:
    """Read the content of a tag, which must be exactly what `dump` writes: one value has one text."""
    try:
        value = kind.load(data)
        canonical = kind.dump(value) == data
    except Refused:
        raise
    except Exception as error:
        raise malformed(data, f"the content of a {kind.tag} tag ({error_title(error)})") from error
    if not canonical:
        raise malformed(data, f"the content of a {kind.tag} tag in the one form that is written")
    return value


def _dump_int(value: int) -> str:
    return format(value, "x")


def _load_int(data: str) -> int:
    # Base 16 because Python refuses to convert more than 4,300 decimal digits, and takes quadratic time for them.
    return int(data, 16)


def _dump_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _load_bytes(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _dump_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise Refused(f"{value!r} cannot be stored as a number; send None or a str")
    # The case of the exponent follows the current decimal context, and a value has one text.
    return str(value).upper()


def _dump_timedelta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _load_timedelta(data: list[int]) -> timedelta:
    days, seconds, microseconds = data
    return timedelta(days, seconds, microseconds)


def _dump_moment(value: datetime | time) -> list[object]:
    return [value.replace(tzinfo=None, fold=0).isoformat(), _dump_zone(value.tzinfo), value.fold]


def _load_datetime(data: list[Any]) -> datetime:
    text, zone, fold = data
    return datetime.fromisoformat(text).replace(tzinfo=_load_zone(zone), fold=fold)


def _load_time(data: list[Any]) -> time:
    text, zone, fold = data
    return time.fromisoformat(text).replace(tzinfo=_load_zone(zone), fold=fold)


def _dump_zone(zone: tzinfo | None) -> object:
    """None for naive, the key of a ZoneInfo, `[microseconds]` or `[microseconds, name]` for a fixed offset."""
    if zone is None:
        return None
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        microseconds = offset // _MICROSECOND
        return [microseconds] if name == timezone(offset).tzname(None) else [microseconds, name]
    if type(zone) is ZoneInfo and zone.key is not None:
        # A zone read from a file can have an invented key.
        return _zone(zone.key).key
    raise Refused(f"the time zone {brief(zone)} ({class_title(type(zone))}) cannot be stored; use ZoneInfo(key)")


def _load_zone(data: object) -> tzinfo | None:
    if data is None:
        return None
    if isinstance(data, str):
        return _zone(data)
    if not isinstance(data, list):
        raise TypeError(f"{brief(data)} is not a time zone")
    microseconds, *name = data
    return timezone(timedelta(microseconds=microseconds), *name)


def _zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError) as error:
        raise Refused(f"the time zone {brief(key)} is not known here; correct it or install tzdata") from error


BIG_INT: Final = ValueType("$int", _dump_int, _load_int)

VALUE_TYPES: Final[Mapping[type, ValueType]] = MappingProxyType(
    {
        bytes: ValueType("$bytes", _dump_bytes, _load_bytes),
        datetime: ValueType("$datetime", _dump_moment, _load_datetime),
        date: ValueType("$date", date.isoformat, date.fromisoformat),
        time: ValueType("$time", _dump_moment, _load_time),
        timedelta: ValueType("$timedelta", _dump_timedelta, _load_timedelta),
        Decimal: ValueType("$decimal", _dump_decimal, Decimal),
        UUID: ValueType("$uuid", str, UUID),
    }
)

VALUE_TAGS: Final[Mapping[str, ValueType]] = MappingProxyType(
    {kind.tag: kind for kind in (BIG_INT, *VALUE_TYPES.values())}
)
