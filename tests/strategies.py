"""Hypothesis strategies for everything that the default codec accepts, and an equality that forgives nothing."""

from __future__ import annotations

import dataclasses
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from functools import cache
from typing import Any, Generic, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Colour(Enum):
    RED = "r"
    GREEN = ("g", 2)
    CRIMSON = "r"  # noqa: PIE796 - an alias


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Unit(StrEnum):
    METRE = "m"


class Access(Flag):
    READ = 1
    WRITE = 2


class Mode(IntFlag):
    A = 4
    B = 8


@dataclasses.dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


@dataclasses.dataclass(slots=True, kw_only=True)
class Line:
    item: object
    count: int = 1
    total: object = dataclasses.field(init=False, default=None)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


TAG_LIKE = ("$", "$bytes", "$tuple", "$dict", "$dataclass", "$enum", "$int", "$unknown")


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


# The three are composite because Hypothesis prints what it draws from, and refuses to print this much.
@st.composite
def payloads(draw: st.DrawFn) -> Any:
    """Any value that the default codec accepts."""
    return draw(_payloads())


@st.composite
def hashables(draw: st.DrawFn) -> Any:
    return draw(_hashables())


@st.composite
def scalars(draw: st.DrawFn) -> Any:
    return draw(_scalars())


@cache
def _payloads() -> st.SearchStrategy[Any]:
    return st.recursive(scalars(), _containers, max_leaves=12)


@cache
def _hashables() -> st.SearchStrategy[Any]:
    return st.recursive(scalars(), _hashable_containers, max_leaves=6)


@cache
def _scalars() -> st.SearchStrategy[Any]:
    floats = st.floats(allow_nan=False, allow_infinity=False)
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**64), 10**30]),
        floats,
        st.sampled_from([-0.0, 1e16, 5e-324, 1.7976931348623157e308]),
        texts(),
        st.sampled_from(TAG_LIKE),
        st.binary(max_size=20),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.sampled_from([Decimal("-0"), Decimal("0E+7"), Decimal("1.500"), Decimal("1E-400")]),
        st.uuids(),
        _moments(),
        _members(),
        st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), texts()),
    )


def _moments() -> st.SearchStrategy[Any]:
    offsets = st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23))
    zones = st.one_of(
        st.none(), st.timezones(), st.builds(timezone, offsets), st.just(timezone(timedelta(hours=2), "Summer"))
    )
    moments = st.one_of(st.datetimes(timezones=zones), st.times(timezones=zones))
    return st.one_of(st.dates(), st.timedeltas(), moments, st.builds(_with_fold, moments))


def _with_fold(moment: datetime | time) -> datetime | time:
    return moment.replace(fold=1)


def _members() -> st.SearchStrategy[Enum]:
    plain = st.sampled_from([*Colour, *Level, *Unit, *Access, *Mode])
    return plain | st.sampled_from(
        [Access.READ | Access.WRITE, Access(0), Mode.A | Mode.B, Mode(0), Mode(12), Mode(21)]
    )


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = texts() | st.sampled_from(TAG_LIKE)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.sampled_from(TAG_LIKE), inner, min_size=1, max_size=1),
        st.dictionaries(hashables(), inner, max_size=4),
        st.sets(hashables(), max_size=4),
        st.frozensets(hashables(), max_size=4),
        st.builds(_line, inner, inner),
        st.builds(Box, inner),
    )


def _line(item: object, total: object) -> Line:
    line = Line(item=item, count=2)
    line.total = total
    return line


def _hashable_containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3)


def same(left: object, right: object) -> bool:
    """Equal, of equal type at every level, in the same order, with the same sign, exponent, zone and fold."""
    if type(left) is not type(right):
        return False
    if isinstance(left, Flag) and isinstance(right, Flag):
        return left._value_ == right._value_  # with unnamed bits no singleton on every Python
    if isinstance(left, Enum):
        return left is right
    left_parts, right_parts = _parts(left), _parts(right)
    if left_parts is not None and right_parts is not None:
        return len(left_parts) == len(right_parts) and all(map(same, left_parts, right_parts))
    if isinstance(left, (set, frozenset)) and isinstance(right, (set, frozenset)):
        found = {item: item for item in right}
        return left == right and all(same(item, found[item]) for item in left)
    return left == right and _details(left) == _details(right)


def _parts(value: object) -> list[object] | None:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return None


def _details(value: object) -> object:
    if isinstance(value, (datetime, time)):
        zone = value.tzinfo
        name = zone.tzname(None) if isinstance(zone, timezone) else str(zone)
        return value.replace(tzinfo=None, fold=0), value.fold, type(zone), name
    # Large integers have no decimal repr; equality says all about them.
    return repr(value) if isinstance(value, (float, Decimal)) else None
