"""Arguments and results as JSON text and back: the public names of the codec, used by App, task.py and the worker."""

from __future__ import annotations

from sidework.core.codec.call import decode_call, encode_call, encode_result
from sidework.core.codec.classes import CallHints
from sidework.core.codec.json_codec import Codec, JsonCodec

__all__ = ["CallHints", "Codec", "JsonCodec", "decode_call", "encode_call", "encode_result"]
