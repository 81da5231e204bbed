"""Write ONNX files: a few kinds of nodes and arrays, encoded as protocol buffers.

The package `onnx` would do it, and brings 20 MB with it for one file. Field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; a test has onnxruntime read what is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FLOAT = 1  # of TensorProto.DataType
IR_VERSION, OPSET = 8, 13
"""Version of the format and of the operators, of 2021: every runtime of today reads them."""
INT, STRING, INTS = 2, 3, 7
"""Types of attributes."""


@dataclass(slots=True)
class Graph:
    """Nodes and arrays in the order in which they are computed."""

    nodes: list[bytes] = field(default_factory=list)
    arrays: list[bytes] = field(default_factory=list)

    def array(self, name: str, values: NDArray[np.floating] | float) -> str:
        """Add an array of float32, and return its name."""
        floats = np.asarray(values, "<f4")
        dims = b"".join(_number(1, size) for size in floats.shape)
        self.arrays.append(
            dims + _number(2, FLOAT) + _bytes(8, name.encode()) + _bytes(9, floats.tobytes())
        )
        return name

    def node(
        self, kind: str, inputs: Sequence[str], output: str, **attributes: int | str | list[int]
    ) -> str:
        """Add a node, and return the name of its output."""
        content = b"".join(_bytes(1, name.encode()) for name in inputs)
        content += _bytes(2, output.encode()) + _bytes(4, kind.encode())
        content += b"".join(_bytes(5, _attribute(*entry)) for entry in attributes.items())
        self.nodes.append(content)
        return output

    def model(
        self,
        taken: tuple[str, Sequence[int | str]],
        made: tuple[str, Sequence[int | str]],
        metadata: Mapping[str, str],
    ) -> bytes:
        """Return the file of a model; what it takes and makes are names with shapes."""
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _bytes(2, b"encoder")
        graph += b"".join(_bytes(5, array) for array in self.arrays)
        graph += _bytes(11, _value(*taken)) + _bytes(12, _value(*made))
        entries = (
            _bytes(1, key.encode()) + _bytes(2, value.encode()) for key, value in metadata.items()
        )
        return (
            _number(1, IR_VERSION)
            + _bytes(7, graph)
            + _bytes(8, _bytes(1, b"") + _number(2, OPSET))
            + b"".join(_bytes(14, entry) for entry in entries)
        )


def _attribute(name: str, value: int | str | list[int]) -> bytes:
    content = _bytes(1, name.encode())
    if isinstance(value, int):
        return content + _number(3, value) + _number(20, INT)
    if isinstance(value, str):
        return content + _bytes(4, value.encode()) + _number(20, STRING)
    return content + b"".join(_number(8, entry) for entry in value) + _number(20, INTS)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, size) if isinstance(size, int) else _bytes(2, size.encode()))
        for size in shape
    )
    tensor = _number(1, FLOAT) + _bytes(2, dims)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes(parts) + bytes([value])
