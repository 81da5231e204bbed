"""Spell out the characters of others' texts that a terminal would follow."""

from __future__ import annotations

# All but tab and line feed: of those, a cursor or a window's title makes nothing of its own.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def without_controls(text: str) -> str:
    r"""Return a text with control characters spelled out, which could act on a terminal.

    Names of files, keys and workers come from others, and may hold any.

    >>> without_controls("a\x1b[2Jb\n")
    'a\\x1b[2Jb\n'
    """
    return text.translate(_CONTROLS)
