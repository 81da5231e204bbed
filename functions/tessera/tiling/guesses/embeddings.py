"""Read embeddings from a stored `.npy` file by byte ranges, and copy them into a run's folder.

    may.embeddings.npy beside the manifest ──> checked ──> unit length ──> embeddings.npy of the run
      float16 or float32, row i = line i          beyond 256 numbers: projected     float16

An array file, since a range of its rows is a range of its bytes, and numpy is at hand. A run reads
its own copy in every round, so that no later upload changes what its model has learned from.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats
from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses.columns import MAX_COLUMNS, principal_axes, unit_rows
from tessera.tiling.run.run_files import Writable

COPY_NAME = "embeddings.npy"
"""Name of a run's own copy, in its folder."""
LONGEST_HEADER = 4_096
"""Bytes in which the header of an array of numbers ends; numpy writes 128."""
MOST_NUMBERS = 4_096
"""Numbers of a row at most, the widest layer of VGG16: the axes of more need more memory and time
to be computed than grouping has."""
MOST_BYTES = 10_000_000_000
"""Bytes at most: a function reads them twice within its 15 minutes. That is 19 million rows of 256
numbers in half precision."""
BLOCK_BYTES = 8 * 1024 * 1024
"""Bytes read at a time, as manifests are: S3 gives a range of that size at full speed."""
SAMPLE_BLOCKS = 200
"""Evenly spaced blocks of rows, of 250 each, that the principal axes are computed from: spread, as
manifests are often sorted by class, and few, as each is a request."""
SAMPLE_BLOCK_ROWS = 250


class Head(Protocol):
    """Size of an object; `tessera.aws.storage.Head` is one."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""


class Files(Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def head(self, uri: str) -> Head | int:
        """Return an object's size, or the HTTP status of S3's refusal."""

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""


class Rows(Protocol):
    """Rows of embeddings to copy, of one file or of several."""

    @property
    def uri(self) -> str:
        """Return where they are, to name them by."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows, and of numbers in each."""

    def __len__(self) -> int:
        """Count the rows."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]:
        """Read a slice of neighboring rows (rows x numbers)."""

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of rows with their embeddings at unit length, rows of zeros without one."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingsFile:
    """Rows of a stored array, as many in memory as are asked for; used like an array of them."""

    files: Files
    uri: str
    shape: tuple[int, int]
    dtype: np.dtype[np.floating]
    offset: int
    """Byte at which the first row begins."""

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        """Read a slice of neighboring rows (rows x numbers), as they are stored."""
        start, stop, _ = rows.indices(len(self))
        width = self.shape[1]
        if stop <= start:
            return np.empty((0, width), self.dtype)
        row_bytes = width * self.dtype.itemsize
        first, end = (self.offset + row * row_bytes for row in (start, stop))
        content = self.files.get_range(self.uri, first, end)
        if len(content) != end - first:  # replaced since it was opened
            raise EmbeddingsUnusable(f"{self.uri} changed while it was read: drop the file again")
        return np.frombuffer(content, self.dtype).reshape(-1, width)

    @property
    def block_rows(self) -> int:
        """Return how many rows are read at a time."""
        return max(BLOCK_BYTES // (self.shape[1] * self.dtype.itemsize), 1)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of rows with their embeddings at unit length, rows of zeros without one."""
        for start in range(0, len(self), self.block_rows):
            rows = slice(start, min(start + self.block_rows, len(self)))
            yield rows, unit_rows(self[rows])


def open_embeddings(files: Files, uri: str) -> EmbeddingsFile:
    """Return the rows of a stored file, of which only the header is read.

    Raises EmbeddingsUnusable, with what to do, for whatever is no array of embeddings.
    """
    head = files.head(uri)
    if isinstance(head, int):
        why = "does not exist" if head == 404 else f"cannot be read: S3 refuses it ({head})"
        raise EmbeddingsUnusable(
            f"{uri} {why}. Upload it before the manifest, within the project's folder of the "
            "inbox or where the stack's parameter ImageObjects allows"
        )
    size = head.size
    start = files.get_range(uri, 0, min(size, LONGEST_HEADER)) if size else b""
    shape, dtype, offset = _read_header(uri, start)
    if size > MOST_BYTES:
        raise EmbeddingsUnusable(
            f"{uri} has {size:,} bytes, and {MOST_BYTES:,} can be read. Make it smaller: "
            "tessera embed keeps 256 numbers an image in half precision"
        )
    expected = offset + shape[0] * shape[1] * dtype.itemsize
    if size != expected:
        raise EmbeddingsUnusable(
            f"{uri} has {size:,} bytes, but {shape[0]:,} rows of {shape[1]:,} numbers take "
            f"{expected:,}: it was cut off, or is still being written. Write and upload it again"
        )
    return EmbeddingsFile(files, uri, shape, dtype, offset)


def _read_header(uri: str, start: bytes) -> tuple[tuple[int, int], np.dtype[np.floating], int]:
    """Return shape, type and length of the header that an array file starts with."""
    file = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_columns, dtype = read(file)
    except Exception as error:  # the header is an expression, which fails in any way at all
        raise EmbeddingsUnusable(
            f"{uri} is no NumPy array of numbers. Write it with "
            f"numpy.save({_file_name(uri)!r}, rows.astype('float16'))"
        ) from error
    if len(shape) != 2 or not all(shape) or dtype.kind != "f" or dtype.itemsize not in (2, 4):
        _refuse(uri, f"is an array of shape {shape} and type {dtype}")
    if by_columns:
        _refuse(uri, "is in Fortran's order", "numpy.ascontiguousarray(rows, 'float16')")
    if shape[1] > MOST_NUMBERS:
        raise EmbeddingsUnusable(
            f"{uri} has {shape[1]:,} numbers a row, and {MOST_NUMBERS:,} can be used. Project the "
            "rows on their first 256 principal axes"
        )
    return (shape[0], shape[1]), dtype, file.tell()


def _refuse(uri: str, what: str, rows: str = "rows.astype('float16')") -> NoReturn:
    raise EmbeddingsUnusable(
        f"{uri} {what}; it must have one row an image and one column a number, as float16 or "
        f"float32, row after row. Write it with numpy.save({_file_name(uri)!r}, {rows})"
    )


def _file_name(uri: str) -> str:
    return uri.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Copied:
    """Counts of a copy: its rows and numbers a row, and the rows that have an embedding."""

    rows: int
    numbers: int
    usable: int

    def notices(self, uri: str) -> list[str]:
        """Say how many rows of the file have no embedding; nothing if all have one."""
        if self.usable == self.rows:
            return []
        missing = self.rows - self.usable
        return [
            f"{missing:,} of the {self.rows:,} rows of {uri} are zeros or not numbers; a model "
            "guesses nothing of those images"
        ]


def check_rows(uri: str, rows: int, lines: int) -> None:
    """Raise EmbeddingsUnusable unless there is a row for each line of the manifest."""
    if rows != lines:
        raise EmbeddingsUnusable(
            f"{uri} has {rows:,} rows, and the manifest {lines:,} lines: row i belongs to line i, "
            "lines that are rejected or labeled included. Make it of this very manifest (tessera "
            "embed does), or delete it to go without"
        )


def copy_embeddings(source: Rows, file: Writable) -> Copied:
    """Write the rows at unit length in half precision, and return what was written.

    Beyond `MAX_COLUMNS` numbers a row is projected on the first principal axes of a sample. Rows of
    zeros, NaN or infinity are written as zeros. Raises EmbeddingsUnusable if all rows are.
    """
    axes = sample_axes(source) if source.shape[1] > MAX_COLUMNS else None
    numbers = source.shape[1] if axes is None else axes.shape[1]
    header: dict[str, Any] = {
        "descr": "<f2", "fortran_order": False, "shape": (len(source), numbers),
    }  # fmt: skip
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, header)
    file.write(start.getvalue())
    usable = 0
    for _, block in source.blocks():
        usable += int(block.any(axis=1).sum())
        file.write((block if axes is None else block @ axes).astype("<f2").tobytes())
    if not usable:
        raise EmbeddingsUnusable(
            f"{source.uri}: all {len(source):,} rows are zeros or not numbers. Make it again, or "
            "delete it to go without"
        )
    return Copied(len(source), numbers, usable)


def sample_axes(source: Rows) -> Floats:
    """Return the first principal axes (numbers x axes) of evenly spaced blocks of rows."""
    width, count = source.shape[1], 0
    total, squares = np.zeros(width), np.zeros((width, width))
    step = max(len(source) // SAMPLE_BLOCKS, SAMPLE_BLOCK_ROWS)
    for start in range(0, len(source), step):
        block = unit_rows(source[start : start + SAMPLE_BLOCK_ROWS])
        block = block[block.any(axis=1)]
        count += len(block)
        total += block.sum(axis=0, dtype=np.float64)
        squares += block.T @ block
    mean = total / max(count, 1)
    return principal_axes(squares - count * np.outer(mean, mean))
