"""Text as one field of a CSV file that a person may open in a spreadsheet, and back again.

Spreadsheets run a field that begins like a formula: `=HYPERLINK(…)` in a label or a file's name
would be somebody else's program on the desk of whoever opens the file. Such a field gets an
apostrophe before it, and loses it when Tessera reads the file: docs/decisions/csv-formulas.md.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*\s*[=+\-@\t\r＝＋－＠]")
"""Beginning of what a spreadsheet may run, wide forms among them; with apostrophes already, it gets
one more, so that taking one away gives the text as it was."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_GUARDED = re.compile(r"'+\s*[=+\-@\t\r＝＋－＠]")


def guard_formula(text: str) -> str:
    """Return the text with an apostrophe before it if a spreadsheet might run it.

    >>> [guard_formula(text) for text in ("cat", "=1+1", "-1", "'=1")]
    ['cat', "'=1+1", '-1', "''=1"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_text(field: str) -> str:
    """Return a field's text as it was before `guard_formula`.

    >>> [plain_text(field) for field in ("'=1+1", "''=1", "'tis")]
    ['=1+1', "'=1", "'tis"]
    """
    return field[1:] if _GUARDED.match(field) else field


def csv_field(text: str) -> str:
    """Return the text as one field of a CSV file: guarded, and quoted if it must be.

    >>> csv_field('=HYPERLINK("a,b")')
    '"\\'=HYPERLINK(""a,b"")"'
    """
    text = guard_formula(text)
    # Python's writer leaves a lone carriage return bare, which ends lines for some readers.
    if not any(character in text for character in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
