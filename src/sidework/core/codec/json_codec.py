"""The interface of a codec and the default one; used by App (`codec=`) and by call.py."""

from __future__ import annotations

from typing import Protocol

from sidework.core.codec.classes import CallHints, Classes
from sidework.core.codec.decode import Decoder, needs_decoding, parse
from sidework.core.codec.encode import Encoder, to_text, too_large
from sidework.core.codec.refusal import Refused
from sidework.errors import InvalidPayload


class Codec(Protocol):
    """What turns arguments and results into JSON text and back; an App takes another one as `App(codec=...)`.

    The text must be deterministic: an id given twice is the same job only if the texts of the arguments are equal.
    Both methods raise `InvalidPayload` for what they do not accept.
    """

    def encode(self, value: object, *, what: str = "value") -> str:
        """JSON text of a value; `what` begins the path in messages."""

    def decode(self, text: str, annotation: object = object) -> object:
        """The value of a text; `annotation` is the type hint where one is known, and a `CallHints` for arguments."""


class JsonCodec:
    """The default codec: JSON text with a closed set of tagged types; what it accepts arrives equal and of equal type.

    `max_bytes` limits the UTF-8 text, `max_depth` the nesting (a call itself takes two levels). Threads can share it.

    >>> from datetime import date
    >>> codec = JsonCodec()
    >>> codec.encode({"due": date(2026, 1, 31), "items": [1, 2.5, None]})
    '{"due":{"$date":"2026-01-31"},"items":[1,2.5,null]}'
    >>> codec.decode('{"due":{"$date":"2026-01-31"}}')
    {'due': datetime.date(2026, 1, 31)}
    >>> codec.encode([float("nan")], what="result")
    Traceback (most recent call last):
    sidework.errors.InvalidPayload: result[0]: NaN cannot be stored as JSON on every database; send None or a str
    """

    def __init__(self, max_bytes: int = 1_048_576, max_depth: int = 64) -> None:
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        self._classes = Classes()

    def encode(self, value: object, *, what: str = "value") -> str:
        """JSON text of a value, the same for the same value; raises `InvalidPayload` with the path to what it refuses.

        >>> JsonCodec().encode((1, {"a"}))
        '{"$tuple":[1,{"$set":["a"]}]}'
        """
        try:
            text = to_text(Encoder(self._classes, max_bytes=self._max_bytes, max_depth=self._max_depth).tree(value))
            self._check_size(text)
        except Refused as refused:
            raise InvalidPayload(refused.message(what)) from refused.__cause__
        except RecursionError as error:
            raise InvalidPayload(f"{what}: nested too deep for Python's recursion limit; flatten it") from error
        return text

    def decode(self, text: str, annotation: object = object) -> object:
        """The value of a stored text; raises `InvalidPayload` for any text that is not one of ours.

        >>> JsonCodec().decode('{"$tuple":[1,{"$set":["a"]}]}')
        (1, {'a'})
        >>> JsonCodec().decode('[{"$call":"os:system"}]')
        Traceback (most recent call last):
        sidework.errors.InvalidPayload: value[0]: unknown tag '$call'; a newer release or another program wrote it
        """
        try:
            self._check_size(text)
            tree = parse(text)
            if not needs_decoding(text, self._max_depth):
                return tree
            return Decoder(self._classes, annotation, max_depth=self._max_depth).value(tree)
        except Refused as refused:
            raise InvalidPayload(_read_message(refused, annotation)) from refused.__cause__
        except RecursionError as error:
            raise InvalidPayload("value: the stored text is nested too deep for Python's recursion limit") from error

    def _check_size(self, text: str) -> None:
        try:
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError as error:
            raise Refused(f"the text holds a lone surrogate at index {error.start}") from None
        if size > self._max_bytes:
            raise Refused(too_large(f"{size:,}", self._max_bytes))


def _read_message(refused: Refused, annotation: object) -> str:
    """The message, with the two parts of a call by their names."""
    message = refused.message("value")
    if not isinstance(annotation, CallHints):
        return message
    for part, name in (("value[0]", "args"), ("value[1]", "kwargs"), ("value", "arguments")):
        if message.startswith(part):
            return name + message.removeprefix(part)
    return message
