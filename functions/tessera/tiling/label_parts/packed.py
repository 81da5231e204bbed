"""Pack what one stage hands to the next as bytes: structs, dataclasses and arrays of numbers.

MessagePack, and no pickle: what is read from a bucket must not be able to run anything.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any, TypeVar, get_origin

import msgspec
import numpy as np

Packed = TypeVar("Packed")


def pack(value: object) -> bytes:
    """Return the value as bytes; arrays of several bytes a number are as this machine has them."""
    return msgspec.msgpack.encode(value, enc_hook=_encode)


def unpack(data: bytes, kind: type[Packed]) -> Packed:
    """Return a value of this type from its bytes; its arrays cannot be written to."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        # a pair of the type and the bytes, and the shape, without which a table is a column
        return value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, array):
        return value.tobytes()
    # as msgspec asks of a hook that meets a type which is not its own
    raise NotImplementedError(f"{type(value)} is packed by nobody")


def _decode(kind: Any, value: Any) -> Any:
    plain = get_origin(kind) or kind
    if plain is np.ndarray:
        dtype, shape, data = value
        return np.frombuffer(data, dtype).reshape(shape)
    if plain is array:
        return array("i", value)
    if plain is Counter:
        return Counter(value)
    raise NotImplementedError(f"{kind} is unpacked by nobody")
