"""Room on the disk of the local stack: how much stays free, and what to do when it is used up."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from shlex import quote

MEGABYTE = 1_000_000
RESERVE = 16 * MEGABYTE
"""Bytes that stay free for accounts, runs and the log; what would take of them is refused, so that
whoever sends it knows that it is not saved (`tessera.stack.guard`)."""


def disk_notice(home: Path) -> str:
    """Say that the disk of a stack's folder is full, and what to do; nothing if it has room."""
    with suppress(OSError):  # of a folder that is not there, or not to be read
        free = shutil.disk_usage(home).free
        if free < RESERVE:
            return (
                f"the disk of {home} is full ({free // MEGABYTE} MB free), so that no answer, "
                f"picture or label is saved. Make room until {RESERVE // MEGABYTE} MB are free "
                f"(df -h {quote(str(home))} shows it): work goes on by itself"
            )
    return ""
