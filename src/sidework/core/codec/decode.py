"""From stored JSON text back to the value; hostile text ends in a refusal and runs nothing; used by json_codec.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum, Flag
from math import isfinite
from types import MappingProxyType
from typing import Any, ClassVar, Final

from sidework.core.codec.classes import Classes
from sidework.core.codec.encode import check_text, looks_like_tag
from sidework.core.codec.records import RECORD_TAGS, RecordType, build_record, record_type
from sidework.core.codec.refusal import Refused, TooDeep, brief, class_title, error_title, key_step, malformed
from sidework.core.codec.values import VALUE_TAGS, load_value


def parse(text: str) -> object:
    """The raw tree of a JSON text, stricter than `json.loads`: no NaN, no overflow to infinity, no key twice."""
    try:
        return _loads(text)
    except ValueError as error:
        raise Refused(f"the stored text is not JSON that can be read: {error}") from error
    except RecursionError as error:
        raise TooDeep("the stored text is nested too deep to be read") from error


def needs_decoding(text: str, max_depth: int) -> bool:
    """Whether the raw tree may differ from the value; False for text without tags, odd escapes or much nesting."""
    return '"$' in text or "\\u" in text or text.count("[") + text.count("{") > max_depth


class Decoder:
    """One pass over one raw tree: tags become values, each looked up with the annotation given."""

    __slots__ = ("_annotation", "_classes", "_max_depth")

    def __init__(self, classes: Classes, annotation: object, *, max_depth: int) -> None:
        self._classes = classes
        self._annotation = annotation
        self._max_depth = max_depth

    def value(self, node: Any, depth: int = 0) -> object:
        """The value of one node, found at `depth` containers below the root."""
        kind = type(node)
        if kind is str:
            check_text(node)
            return node
        if kind is not list and kind is not dict:
            return node
        if depth >= self._max_depth:
            raise TooDeep(f"the stored text is nested deeper than {self._max_depth} levels")
        if kind is list:
            return self._list(node, depth + 1)
        if looks_like_tag(node):
            [(tag, data)] = node.items()
            return self._tagged(tag, data, depth + 1)
        return self._object(node, depth + 1, key_step)

    def _list(self, node: Any, depth: int) -> list[object]:
        if type(node) is not list:
            raise malformed(node, "a list")
        values = []
        try:
            for item in node:
                values.append(self.value(item, depth))  # noqa: PERF401 - a comprehension would lose the index for the path
        except Refused as refused:
            refused.add_step(f"[{len(values)}]", node)
            raise
        return values

    def _object(self, node: dict[str, object], depth: int, step: Callable[[str], str]) -> dict[str, object]:
        values: dict[str, object] = {}
        key = ""
        try:
            for key, item in node.items():
                check_text(key)
                values[key] = self.value(item, depth)
        except Refused as refused:
            refused.add_step(step(key), node)
            raise
        return values

    def _tagged(self, tag: str, data: object, depth: int) -> object:
        known = VALUE_TAGS.get(tag)
        if known is not None:
            return load_value(known, data)
        record = RECORD_TAGS.get(tag)
        if record is not None:
            return self._record(record, data, depth)
        container = self._containers.get(tag)
        if container is None:
            raise Refused(f"unknown tag {brief(tag)}; a newer release or another program wrote it")
        return container(self, data, depth)

    def _tuple(self, data: object, depth: int) -> tuple[object, ...]:
        return tuple(self._list(data, depth))

    def _set(self, data: object, depth: int) -> set[object]:
        return set(self._frozenset(data, depth))

    def _frozenset(self, data: object, depth: int) -> frozenset[object]:
        values = self._list(data, depth)
        unique: frozenset[object] = _hashed(frozenset, values)
        if len(unique) != len(values):
            raise malformed(values, "different elements of a set")
        return unique

    def _dict(self, data: object, depth: int) -> dict[object, object]:
        # The list of pairs and each pair are not levels of the value: only what they hold is.
        pairs = [self._list(pair, depth) for pair in _checked_pairs(data)]
        values: dict[object, object] = _hashed(dict, pairs)
        if len(values) != len(pairs):
            raise malformed(pairs, "different keys of a dict")
        return values

    def _enum(self, data: object, _depth: int) -> Enum:
        cls, name = self._named(data)
        member = cls.__members__.get(name) if issubclass(cls, Enum) and isinstance(name, str) else None
        if member is None:
            raise Refused(f"{class_title(cls)} has no member {brief(name)}; keep old members while jobs use them")
        return member

    def _flag(self, data: object, depth: int) -> Flag:
        cls, content = self._named(data)
        number = self.value(content, depth)
        if not issubclass(cls, Flag) or type(number) is not int:
            raise malformed(data, "a class of flags and a number")
        return _combined(cls, number)

    def _record(self, kind: RecordType, data: object, depth: int) -> object:
        cls, fields = self._named(data, by_annotation=kind.by_annotation)
        if record_type(cls) is not kind:
            raise Refused(f"{class_title(cls)} is not a {kind.title} any more; enqueue the job again")
        if type(fields) is not dict:
            raise malformed(fields, f"the fields of {class_title(cls)}")
        return build_record(kind, cls, self._object(fields, depth, lambda field: f".{field}"))

    def _named(self, data: object, *, by_annotation: bool = False) -> tuple[type, Any]:
        if type(data) is not list or len(data) != 2 or type(data[0]) is not str:  # noqa: PLR2004
            raise malformed(data, "the name of a class and its content")
        return self._classes.find(data[0], self._annotation, by_annotation=by_annotation), data[1]

    _containers: ClassVar[Mapping[str, Callable[[Decoder, object, int], object]]] = MappingProxyType(
        {
            "$tuple": _tuple,
            "$set": _set,
            "$frozenset": _frozenset,
            "$dict": _dict,
            "$enum": _enum,
            "$flag": _flag,
        }
    )


def _combined(cls: type[Flag], number: int) -> Flag:
    known: Mapping[object, Flag] = cls._value2member_map_  # type: ignore[assignment]
    try:
        # Flag's own way to combine, since a class can put code of its own into _missing_.
        flag = known[number] if number in known else Flag.__dict__["_missing_"].__func__(cls, number)
    except ValueError:
        flag = None
    if type(flag) is not cls or flag._value_ != number:  # some releases of Python 3.11 drop bits that are unknown
        raise Refused(f"{brief(number)} is no combination of {class_title(cls)}; keep old members while jobs use them")
    return flag


def _hashed(kind: Callable[[Any], Any], values: list[Any]) -> Any:
    try:
        return kind(values)
    except Exception as error:  # a user's __hash__ or __eq__ may raise anything
        raise Refused(f"{brief(values)} cannot be hashed: {error_title(error)}") from error


def _checked_pairs(data: object) -> list[Any]:
    if type(data) is not list or not all(type(pair) is list and len(pair) == 2 for pair in data):  # noqa: PLR2004
        raise malformed(data, "a list of pairs")
    return data


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise Refused(f"an object holds a key twice, among {brief([key for key, _ in pairs])}")
    return unique


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise Refused(f"the number {brief(digits)} is too large for a float")
    return number


def _refuse_constant(name: str) -> object:
    raise Refused(f"{name} is not JSON")


_loads: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant).decode
