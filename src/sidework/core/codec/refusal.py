"""The internal exception of the codec, why and where a value is refused; used by every file of this package."""

from __future__ import annotations

import json
import reprlib
from typing import Final

_CYCLE: Final = "contains itself; send a reference (such as an id) instead of the object"
_KEY_SHOWN: Final = 60


class Refused(Exception):
    """A value that cannot be stored or read; the path is gathered while it unwinds, so good values pay nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[tuple[str, object]] = []

    def add_step(self, step: str, parent: object) -> None:
        """Note, from the inside out, how the refused value was reached from `parent`."""
        self.steps.append((step, parent))

    def message(self, root: str) -> str:
        """The path from `root`, and the reason."""
        return f"{root}{''.join(step for step, _ in reversed(self.steps))}: {self.reason}"


class TooDeep(Refused):
    """Nested deeper than the limit, perhaps because the value contains itself."""

    def message(self, root: str) -> str:
        """The path from `root`, which ends at the first repetition, and the reason."""
        seen: set[int] = set()
        path = root
        for step, parent in reversed(self.steps):
            if id(parent) in seen:
                return f"{path}: {_CYCLE}"
            seen.add(id(parent))
            path += step
        return f"{path}: {self.reason}"


def key_step(key: str) -> str:
    """The step of a path into a dict, `["when"]`, shortened where the key is long."""
    return f"[{json.dumps(key if len(key) <= _KEY_SHOWN else key[:_KEY_SHOWN] + '...')}]"


def brief(value: object) -> str:
    """A short repr, safe to put into a message whatever the value is."""
    try:
        text = reprlib.repr(value)
    except Exception:
        text = object.__repr__(value)
    return text.encode("utf-8", "backslashreplace").decode()


def malformed(data: object, expected: str) -> Refused:
    """The refusal of stored data that no version of this codec writes."""
    return Refused(f"expected {expected}, got {brief(data)}; this codec did not write that text, delete the job")


def class_title(cls: type) -> str:
    """Module and qualified name, for messages."""
    return f"{cls.__module__}.{cls.__qualname__}"


def error_title(error: BaseException) -> str:
    """Type and message of an exception, shortened."""
    return f"{type(error).__name__}: {str(error)[:200]}"
