"""Write rows to a file bit by bit, so that work that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

NAME_DIGITS = 12
"""Hexadecimal digits in the name of a file of unfinished rows: of whom and what it is."""


def digest(parts: Iterable[str]) -> str:
    """Return by what unfinished rows are known again: the encoder and all pictures.

    >>> digest(["ab", "c"]) == digest(["a", "bc"])
    False
    """
    total = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass")
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()[:NAME_DIGITS]


class RowsFile:
    """Array file in half precision that grows from its first row on, in an unfinished file."""

    def __init__(self, target: Path, known_by: str, shape: tuple[int, int]) -> None:
        """Go on with the unfinished file of the same rows, or begin one beside the target."""
        self.path = target.with_name(f"{target.name}.{known_by}.part")
        self._row_bytes = shape[1] * 2
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f2", "fortran_order": False, "shape": shape}
        )
        start = head.getvalue()
        present = b""
        if self.path.exists():
            with self.path.open("rb") as file:
                present = file.read(len(start))
        self._file = self.path.open("r+b" if present == start else "w+b")
        if present != start:
            self._file.write(start)
        size = self._file.seek(0, io.SEEK_END) - len(start)
        self.rows = min(size // self._row_bytes, shape[0])
        # a row that was cut off is made again
        self._file.truncate(len(start) + self.rows * self._row_bytes)
        self._file.seek(0, io.SEEK_END)

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, which stays to go on with."""
        self._file.close()

    def append(self, rows: NDArray[np.floating]) -> None:
        """Add rows (rows x numbers) to the end."""
        self._file.write(rows.astype("<f2").tobytes())
        self._file.flush()
        self.rows += len(rows)
