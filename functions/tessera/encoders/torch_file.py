"""Read the arrays of PyTorch's files of before version 1.6 without PyTorch, which has 800 MB.

Such a file is four pickles and then, for each storage, its length and its bytes. Only the few names
that arrays need are unpickled, so that a file can run nothing.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8", "HalfStorage": "<f2", "DoubleStorage": "<f8"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Array whose numbers are in a storage: from which on, its shape, and the steps in numbers."""

    storage: str
    kind: str
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def array(self, numbers: Array) -> Array:
        """Return the array, given all numbers of its storage."""
        steps = [step * numbers.itemsize for step in self.steps]
        view = np.lib.stride_tricks.as_strided(numbers[self.start :], self.shape, steps)
        return view.copy()


def _tensor(
    storage: tuple[str, str], start: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: Any
) -> Tensor:
    return Tensor(*storage, start, shape, steps)


class _Arrays(pickle.Unpickler):
    """Unpickler of arrays by name, and of nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for one of PyTorch's names."""
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if module == "torch" and name in TYPES:
            return name
        if (module, name) in known:
            return known[module, name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """Return the name and type of a storage."""
        _, kind, key, *_ = pid
        return str(key), str(kind)


def read_arrays(content: bytes) -> dict[str, Array]:
    """Return the arrays in a file by their names; raises UnpicklingError for another file."""
    file = io.BytesIO(content)
    for _ in range(3):  # a magic number, the protocol's, and the sizes of C's types
        _Arrays(file).load()
    tensors: dict[str, Tensor] = _Arrays(file).load()
    kinds = {tensor.storage: tensor.kind for tensor in tensors.values()}
    storages: dict[str, Array] = {}
    for key in _Arrays(file).load():
        kind = np.dtype(TYPES[kinds[key]])
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: tensor.array(storages[tensor.storage]) for name, tensor in tensors.items()}
