"""From a value to the tree of plain JSON types that stands for it; used by json_codec.py.

A tag is an object with one key that begins with "$". A user's dict of that shape is written as a list of pairs under
the tag "$dict", so no dict can pass for a tag.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum, Flag
from math import isfinite
from types import MappingProxyType
from typing import Any, ClassVar, Final, Never

from sidework.core.codec.classes import Classes, stored_name
from sidework.core.codec.records import DATACLASS, RecordType, new_instance, read_record, record_type
from sidework.core.codec.refusal import Refused, TooDeep, brief, class_title, key_step
from sidework.core.codec.values import BIG_INT, VALUE_TYPES

MAX_PLAIN_INT: Final = 2**63 - 1
_ONLY_STR: Final = frozenset({str})
_PLAIN: Final = frozenset({str, int, float, bool})
# Text this short needs no count of its own: its container counts one for it, which is enough to end an explosion.
_SHORT: Final = 64
_JSON: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))


def to_text(tree: object) -> str:
    """JSON text of a tree that an Encoder made."""
    return _JSON.encode(tree)


class Encoder:
    """One pass over one value: plain values as they are, the rest tagged or refused."""

    __slots__ = ("_classes", "_max_bytes", "_max_depth", "_room")

    def __init__(self, classes: Classes, *, max_bytes: int, max_depth: int) -> None:
        self._classes = classes
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        # A lower bound of what is left, so that a small graph that unfolds into a huge tree ends early.
        self._room = max_bytes

    def tree(self, value: Any, depth: int = 0) -> Any:
        """The tree of one value, found at `depth` containers below the root."""
        kind = type(value)
        if kind is str:
            return value if value.isascii() and "\0" not in value and len(value) <= _SHORT else self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -MAX_PLAIN_INT <= value <= MAX_PLAIN_INT else self._big_int(value)
        if kind is float:
            return value if isfinite(value) else _refuse_float(value)
        if depth >= self._max_depth:
            raise TooDeep(f"nested deeper than {self._max_depth} levels; flatten it, or store it and send a reference")
        container = self._containers.get(kind)
        return container(self, value, depth + 1) if container else self._tagged(value, depth + 1)

    def _list(self, value: list[object] | tuple[object, ...], depth: int) -> list[object]:
        self._take(len(value))
        tree = []
        try:
            for item in value:
                tree.append(self.tree(item, depth))  # noqa: PERF401 - a comprehension would lose the index for the path
        except Refused as refused:
            refused.add_step(f"[{len(tree)}]", value)
            raise
        return tree

    def _tuple(self, value: tuple[object, ...], depth: int) -> dict[str, object]:
        return {"$tuple": self._list(value, depth)}

    def _dict(self, value: dict[Any, object], depth: int) -> dict[str, object]:
        if not _ONLY_STR.issuperset(map(type, value)) or looks_like_tag(value):
            return {"$dict": self._pairs(value, depth)}
        return self._object(value, depth, key_step, value)

    def _set(self, value: set[object] | frozenset[object], depth: int) -> dict[str, object]:
        self._take(len(value))
        try:
            trees = [self.tree(item, depth) for item in value]
        except Refused as refused:
            refused.add_step("[<element>]", value)
            raise
        return {f"${type(value).__name__}": sorted(trees, key=to_text)}

    def _object(
        self, value: Mapping[str, object], depth: int, step: Callable[[str], str], parent: object
    ) -> dict[str, object]:
        self._take(len(value))
        tree = {}
        key = ""
        try:
            for key, item in value.items():
                tree[self.tree(key)] = self.tree(item, depth)
        except Refused as refused:
            refused.add_step(step(key), parent)
            raise
        return tree

    def _pairs(self, value: dict[Any, object], depth: int) -> list[object]:
        self._take(len(value))
        pairs: list[object] = []
        step = ""
        try:
            for key, item in value.items():
                step = f".keys()[{len(pairs)}]"
                stored_key = self.tree(key, depth)
                step = key_step(key) if type(key) is str else f"[{brief(key)}]"
                pairs.append([stored_key, self.tree(item, depth)])
        except Refused as refused:
            refused.add_step(step, value)
            raise
        return pairs

    def _tagged(self, value: Any, depth: int) -> dict[str, object]:
        kind = type(value)
        known = VALUE_TYPES.get(kind)
        if known is not None:
            return {known.tag: self._content(known.dump(value))}
        if isinstance(value, Enum):
            return self._enum(value, depth)
        record = record_type(kind)
        if record is not None:
            return self._record(record, value, depth)
        raise Refused(_unsupported(kind, {*_PLAIN, *self._containers, *VALUE_TYPES}))

    def _content(self, content: object) -> object:
        """What a value type writes (text, numbers or lists of them), counted and checked like the user's own."""
        if isinstance(content, list):
            return [self._content(part) for part in content]
        return self._text(content) if isinstance(content, str) else content

    def _enum(self, value: Enum, depth: int) -> dict[str, object]:
        kind = type(value)
        name = self._classes.name(kind)
        if kind.__members__.get(value._name_) is value:
            return {"$enum": [self._text(name), self._text(value._name_)]}
        if isinstance(value, Flag):
            return {"$flag": [self._text(name), self.tree(value._value_, depth)]}
        raise Refused(f"{brief(value)} is not among the members of {class_title(kind)}; send one that is")

    def _record(self, kind: RecordType, value: object, depth: int) -> dict[str, object]:
        cls = type(value)
        if kind is DATACLASS:
            new_instance(cls)
        name = stored_name(cls) if kind.by_annotation else self._classes.name(cls)
        fields = read_record(kind, value)
        return {kind.tag: [self._text(name), self._object(fields, depth, lambda field: f".{field}", value)]}

    def _big_int(self, value: int) -> dict[str, object]:
        self._take(value.bit_length() // 4)
        return {BIG_INT.tag: BIG_INT.dump(value)}

    def _text(self, text: str) -> str:
        self._take(len(text))
        check_text(text)
        return text

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise Refused(too_large(f"more than {self._max_bytes:,}", self._max_bytes))

    _containers: ClassVar[Mapping[type, Callable[[Encoder, Any, int], object]]] = MappingProxyType(
        {list: _list, tuple: _tuple, dict: _dict, set: _set, frozenset: _set}
    )


def looks_like_tag(value: Mapping[str, object]) -> bool:
    """Whether an object has the shape of a tag: a single key that begins with "$"."""
    return len(value) == 1 and next(iter(value)).startswith("$")


def check_text(text: str) -> None:
    """Refuse the characters that some database cannot store."""
    if "\0" in text:
        raise Refused(f"the NUL character in {brief(text)} cannot be stored on every database; remove it or send bytes")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refused(
            f"the lone surrogate {text[error.start]!r} at index {error.start} is not a character that UTF-8 can hold; "
            "repair the text or send bytes"
        ) from None


def too_large(size: str, limit: int) -> str:
    """The reason why a text of that size is refused."""
    return f"{size} bytes as JSON text, the limit is {limit:,}; store the data elsewhere and send a reference to it"


def _unsupported(kind: type, accepted: set[type]) -> str:
    base = next((base.__name__ for base in kind.__mro__ if base in accepted), None)
    if base is not None:
        return f"{class_title(kind)} is a subclass of {base} and would arrive as another type; send {base}(...) of it"
    return f"{class_title(kind)} is not a type that can be stored; send a str, a dict or a dataclass made from it"


def _refuse_float(value: float) -> Never:
    name = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    raise Refused(f"{name} cannot be stored as JSON on every database; send None or a str")
