"""Find the instructions and examples that lie beside a manifest.

`instructions.md` is used where the settings have no instructions of their own. Pictures under
`examples/LABEL/` show each label right, or wrong where their name or folder says `bad`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import msgspec

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.settings import LONGEST_INSTRUCTIONS, Settings

NAME, EXAMPLES = "instructions.md", "examples/"
MOST_EXAMPLES = 200
"""Pictures under `examples/` that are taken: four of each of fifty labels."""
PICTURE = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp|avif|svg)$", re.I)
BAD = re.compile(r"(?:^|[^a-z])(?:bad|wrong)", re.I)


class Files(Protocol):
    """Stored objects as they are used here."""

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, or None if it does not exist."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield the URIs of the objects under a prefix, in key order."""


def with_instructions(settings: Settings, files: Files, folder: str) -> Settings:
    """Return the settings with the instructions and examples in a manifest's folder.

    `folder` is its URI with a slash at the end. Raises SettingsInvalid where they are too long, or
    no text.
    """
    text = settings.instructions or _read_text(files, folder + NAME)
    names = (uri.removeprefix(folder) for uri in files.list_uris(folder + EXAMPLES))
    whole = "\n\n".join(filter(None, (text.strip(), examples_in_markdown(names))))
    if whole == settings.instructions.strip():
        return settings
    if len(whole) > LONGEST_INSTRUCTIONS:
        reason = f"{len(whole):,} characters with the examples; at most {LONGEST_INSTRUCTIONS:,}"
        raise SettingsInvalid([f"instructions: {reason}"])
    return msgspec.structs.replace(settings, instructions=whole)


def _read_text(files: Files, uri: str) -> str:
    # Four bytes a character at most; one more tells that there are too many.
    content = files.get_up_to(uri, 4 * LONGEST_INSTRUCTIONS + 1) or b""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsInvalid([f"{uri} is not UTF-8 text: save it as UTF-8"]) from error


class _Example(NamedTuple):
    """Picture that shows a label, by its place below the manifest's folder."""

    label: str
    is_bad: bool
    path: str


def examples_in_markdown(names: Iterable[str]) -> str:
    """Return Markdown that shows the pictures among names under `examples/`, label by label.

    >>> print(examples_in_markdown(["examples/cat/1.jpg", "examples/cat/bad/2.jpg"]))
    # Examples
    <BLANKLINE>
    ## cat
    <BLANKLINE>
    Right: ![cat](<examples/cat/1.jpg>)
    <BLANKLINE>
    Wrong: ![not cat](<examples/cat/bad/2.jpg>)
    """
    examples = list(filter(None, map(_example, names)))[:MOST_EXAMPLES]
    if not examples:
        return ""
    parts = ["# Examples"]
    for label in dict.fromkeys(example.label for example in examples):
        parts.append(f"## {_plain(label)}")
        for is_bad, title, alt in ((False, "Right", label), (True, "Wrong", f"not {label}")):
            pictures = [
                f"![{_plain(alt)}](<{example.path}>)"
                for example in examples
                if (example.label, example.is_bad) == (label, is_bad)
            ]
            if pictures:
                parts.append(f"{title}: {' '.join(pictures)}")
    return "\n\n".join(parts)


def _example(name: str) -> _Example | None:
    """Return the example that a name under `examples/` stands for; None if it is none."""
    label, slash, rest = name.removeprefix(EXAMPLES).partition("/")
    if not slash or not PICTURE.search(rest) or re.search(r"[<>\\\n\r]", name):
        return None
    return _Example(label, bool(BAD.search(rest)), name)


def _plain(text: str) -> str:
    """Return text in which Markdown sees nothing of its own."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~&])", r"\\\1", text)
