"""Write a file in one step: one that exists is complete, and an earlier one is kept till then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_bytes(content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path to write a file at that takes its place once it is complete.

    Where that fails, as on a full disk, nothing is left that takes room, and what was there stays.
    A file that others have by a link or by its rights stays that file; what is no file, such as
    /dev/stdout, is written as it is.
    """
    if _is_written_in_place(path):
        yield path
        return
    target = path.resolve()
    digest = blake2b(os.fsencode(target.name), digest_size=12).hexdigest()
    part = target.with_name(f".{digest}.part")  # no longer than any name may be
    try:
        yield part
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _is_written_in_place(path: Path) -> bool:
    """Return whether nothing can take a path's place: a device, or a file in a closed folder."""
    if path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",)):
        return True
    if path.exists() and not path.is_file():
        return True
    return path.exists() and not os.access(path.resolve().parent, os.W_OK)
