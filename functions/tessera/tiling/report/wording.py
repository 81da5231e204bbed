"""Write counts, shares and numbers as people read them."""

from __future__ import annotations

_NO_VALUE = "–"


def pluralize(count: int, noun: str) -> str:
    """Write a count with its noun, singular or plural.

    >>> pluralize(1, "line"), pluralize(1200, "line")
    ('1 line', '1,200 lines')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share of one in percent, or a dash if there is none.

    >>> percent(0.9321), percent(0.9321, 1), percent(None)
    ('93%', '93.2%', '–')
    """
    return f"{share:.{digits}%}" if isinstance(share, int | float) else _NO_VALUE


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands separators, or a dash if there is none.

    >>> number(12345), number(2.5, 2), number(None)
    ('12,345', '2.50', '–')
    """
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else _NO_VALUE
