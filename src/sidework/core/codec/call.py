"""The arguments of a call and the result of a task as text, with any codec; used by task.py and the worker.

A call is stored as `[[*args], {**kwargs}]`. The classes of pydantic models and msgspec structs come from annotations
alone, so a value of one is refused at once where no annotation gives its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sidework.core.codec.classes import CallHints
from sidework.core.codec.json_codec import Codec
from sidework.errors import InvalidPayload

# No text inside of a JSON string can look like this: its quotes would be escaped.
_BY_ANNOTATION: Final = ('{"$model":', '{"$struct":')


def encode_call(
    codec: Codec,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    hints: Mapping[str, object] | None = None,
    positional: Sequence[str] = (),
) -> str:
    """The text of a call; raises `InvalidPayload` with a path such as `args[0]["when"]`.

    `hints` are those of `decode_call`; without them (a task known by name only) models are refused.

    >>> from sidework.core.codec import JsonCodec
    >>> encode_call(JsonCodec(), (7,), {"template": "hello"})
    '[[7],{"template":"hello"}]'
    """
    try:
        text = codec.encode([list(args), kwargs], what="arguments")
    except InvalidPayload as error:
        raise _located(codec, args, kwargs) or error from error.__cause__
    if _needs_annotation(text):
        decode_call(codec, text, hints or {}, positional)
    return text


def decode_call(
    codec: Codec, text: str, hints: Mapping[str, object], positional: Sequence[str]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a stored call.

    `hints` maps each parameter to its annotation (`*name` and `**name` to that of one item). The default codec looks
    for classes in all of them together; `positional` is for codecs that want to know the order.

    >>> from sidework.core.codec import JsonCodec
    >>> decode_call(JsonCodec(), '[[7],{"template":"hello"}]', {"user_id": int, "template": str}, ["user_id"])
    ((7,), {'template': 'hello'})
    """
    call = codec.decode(text, CallHints(hints, tuple(positional)))
    if isinstance(call, (list, tuple)) and len(call) == 2:  # noqa: PLR2004 - a pair
        args, kwargs = call
        if isinstance(args, (list, tuple)) and isinstance(kwargs, dict) and all(type(key) is str for key in kwargs):
            return tuple(args), kwargs
    raise InvalidPayload(f"arguments: expected the text of a call, [[*args], {{**kwargs}}], got {text[:100]!r}")


def encode_result(codec: Codec, value: object, annotation: object = object) -> str:
    """The text of what a task returned; a model is refused unless the return `annotation` gives its class.

    >>> from sidework.core.codec import JsonCodec
    >>> encode_result(JsonCodec(), {"sent": 3})
    '{"sent":3}'
    """
    text = codec.encode(value, what="result")
    if _needs_annotation(text):
        try:
            codec.decode(text, annotation)
        except InvalidPayload as error:
            raise InvalidPayload(f"result: {error}") from error.__cause__
    return text


def _needs_annotation(text: str) -> bool:
    return any(tag in text for tag in _BY_ANNOTATION)


def _located(codec: Codec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InvalidPayload | None:
    """The refusal of the first argument that is refused by itself, which has the clearer path."""
    named = [*((f"args[{index}]", value) for index, value in enumerate(args))]
    named += [(f'kwargs["{name}"]', value) for name, value in kwargs.items()]
    for what, value in named:
        try:
            codec.encode(value, what=what)
        except InvalidPayload as error:
            return error
    return None
