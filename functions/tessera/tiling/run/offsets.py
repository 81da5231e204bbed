r"""Read and write the offsets file, which says where each line of a tasks manifest starts.

An offset is an unsigned integer of eight bytes, little-endian. A manifest of n tasks has n + 1 of
them, the last being where its last line ends. So a task's line is found by 16 bytes however long
the manifest is, and the number of tasks is known from the file's size alone:

    tasks-000.manifest   {"source":"[…]"}\n{"source":"[…]"}\n
                         ^0                ^412               ^803
    tasks-000.offsets    0 412 803         24 bytes: two tasks

Everything that knows the format is here: the grouping writes it, the portal and the consolidation
read it. Nothing is imported but the standard library, because the portal's cold start waits for it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

OFFSET_BYTES = 8
"""Four would end at 4 GiB, which 100,000 tasks of 20,000 characters exceed in some scripts."""


def offsets_name(manifest: str) -> str:
    """Return the name or URI of the offsets file that lies beside a tasks manifest.

    >>> offsets_name("round-1/tasks-000.manifest")
    'round-1/tasks-000.offsets'
    """
    return name_beside(manifest, ".offsets")


def name_beside(manifest: str, ending: str) -> str:
    """Return the name or URI of a file that is called as a tasks manifest, with another ending.

    >>> name_beside("round-1/tasks-000.manifest", ".gold")
    'round-1/tasks-000.gold'
    """
    return re.sub(r"\.[^./]*$", "", manifest) + ending


def pack_offsets(offsets: Iterable[int]) -> bytes:
    """Encode offsets as the file's bytes.

    >>> read_offsets(pack_offsets([0, 412, 803]))
    (0, 412, 803)
    """
    numbers = tuple(offsets)
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def read_offsets(data: bytes) -> tuple[int, ...]:
    """Decode the whole file, or a part of it that was cut at `entry_range`.

    Raises struct.error if the bytes are not a whole number of offsets.
    """
    return struct.unpack(f"<{len(data) // OFFSET_BYTES}Q", data)


def entry_range(task: int) -> tuple[int, int]:
    """Return the byte range of the file that holds where a task's line starts and ends.

    >>> entry_range(0)
    (0, 16)
    """
    return OFFSET_BYTES * task, OFFSET_BYTES * (task + 2)


def count_tasks(size: int) -> int:
    """Return the number of tasks of a manifest whose offsets file has `size` bytes.

    >>> count_tasks(24), count_tasks(0)
    (2, 0)
    """
    return max(size // OFFSET_BYTES - 1, 0)
