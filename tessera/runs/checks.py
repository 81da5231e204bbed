"""Manifests and settings on this machine, checked as a run would check them."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory, TemporaryFile

from tessera.csv_file import readable
from tessera.exits import Refused
from tessera.screen import progress
from tessera.sources.csv_list import IMAGE_COLUMNS
from tessera.tiling.encoding import HEAD, NO_TEXT
from tessera.tiling.errors import NOT_JSON, TesseraError
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.kinds.custom_task import group_lines
from tessera.tiling.manifest.box_lines import read_boxes
from tessera.tiling.manifest.class_rule import LABEL_TYPE
from tessera.tiling.manifest.set_rule import SET_TYPE
from tessera.tiling.manifest.source_rule import ANY_SOURCE
from tessera.tiling.manifest.stream import GZIP_MAGIC, line_blocks
from tessera.tiling.settings import LONGEST_SETTINGS, Settings, read_settings

PIECE = 1024 * 1024
"""Bytes of a manifest that are read at a time; the bar on the screen moves on with each."""
LOOKED_AT = 100
"""Lines that are looked at for labels under another key."""


def read_settings_file(path: Path) -> Settings:
    """Read the settings from a file; Refused with every problem, one a line."""
    if not path.exists():
        raise Refused(
            f"There is no {path}. Write one (docs/manifests.md says what it may hold), "
            "or name it: --settings FILE. With `tessera drop`, `estimate` and `preview`, "
            "labels alone do: --labels A,B"
        )
    with readable(path), path.open("rb") as file:
        # A byte more than is allowed, so that a file of any size is refused without reading it all.
        return parse_settings(file.read(LONGEST_SETTINGS + 1), str(path))


def parse_settings(raw: bytes, where: str) -> Settings:
    """Parse settings; Refused with every problem, one a line, and `where` they come from."""
    try:
        return read_settings(raw)
    except TesseraError as error:
        problems = getattr(error, "problems", (str(error),))
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise Refused(
            f"{where} cannot be used:\n{listed}\ndocs/manifests.md says what settings may hold."
        ) from error


def manifest_remedy(manifest: Path) -> str:
    """Say how to turn a file that is no manifest into one, by what it begins with."""
    with manifest.open("rb") as file:
        head = file.read(HEAD)
    name = quote(str(manifest))
    for magic, meaning in NO_TEXT:
        if head.startswith(magic) and magic != GZIP_MAGIC:
            return f"It is {meaning.partition(';')[0]}; write a manifest: one JSON object a line."
    if head.startswith(GZIP_MAGIC):
        return f"Pack it anew, and test it: gzip --test {name}"
    if b"\0" in head and not _is_csv(manifest, head):
        return f"Write it as UTF-8: iconv -f UTF-16 -t UTF-8 {name} > utf-8.manifest"
    if head.lstrip().startswith(b"["):
        return f"Write an array as one object a line: jq -c '.[]' {name} > lines.manifest"
    if head.lstrip().startswith(b"{") and b"\n" in head and b"}" not in head.split(b"\n")[0]:
        return f"Write each object on one line: jq -c . {name} > lines.manifest"
    if b"\r" in head and b"\n" not in head:
        return f"End its lines as others do: tr '\\r' '\\n' < {name} > lines.manifest"
    if re.match(rb'\s*\{"source-ref":\s*\{', head):  # a table by columns
        return "With pandas, write it so: table.to_json(FILE, orient='records', lines=True)"
    if re.search(rb"\},[ \r]*\n", head):
        way = f"sed 's/}},[ \\r]*$/}}/' {name} > lines.manifest"
        return f"Take off the commas at the ends of lines: {way}"
    if re.search(rb":\s*-?(NaN|Infinity)\b", head):
        return f"JSON has no NaN. Write null for it: jq -c . {name} > lines.manifest"
    if _is_csv(manifest, head):
        return f"It is a CSV file. Make a manifest of it: tessera {_import_csv(manifest)}"
    return 'Each line has to be like {"source-ref": "s3://bucket/1.jpg"}; see docs/manifests.md.'


def labeled_otherwise(manifest: Path, settings: Settings) -> list[str]:
    """Say so if a manifest's first lines have labels under a key that the settings do not name.

    Ground Truth writes labels under the name of its job, and whoever drops its output means the
    lines that have none. Nothing is said of a manifest that cannot be read.
    """
    if settings.is_custom or settings.has_boxes:
        return []
    wanted, own = SET_TYPE if settings.is_multi else LABEL_TYPE, settings.label_attribute
    keys = dict[str, None]()
    with suppress(TesseraError), readable(manifest), manifest.open("rb") as file:
        first = next(line_blocks(iter(partial(file.read, PIECE), b"")), b"")
        for line in first.split(b"\n")[:LOOKED_AT]:
            keys |= dict.fromkeys(_label_keys(line, wanted))
    return [
        f"lines have labels under {key!r}, and label_attribute is {own!r}: they are asked anew. "
        f'To keep those labels, and ask only for the others: "label_attribute": "{key}"'
        for key in keys
        if own not in keys
    ]


def _label_keys(line: bytes, wanted: str) -> Iterator[str]:
    """Yield the keys of a line that have a label of a labeling job of this type."""
    with suppress(*NOT_JSON):  # no line for a run, which says so
        members = json.loads(line)
        for key, metadata in members.items() if isinstance(members, dict) else ():
            name = key.removesuffix("-metadata")
            if name == key or name not in members or not isinstance(metadata, dict):
                continue
            if metadata.get("type") == wanted and "failure-reason" not in metadata:
                yield name


def refuse_csv(path: Path, command: Callable[[str], str]) -> None:
    """Refuse a CSV file of images, with the `command` of the tool that makes a manifest of it."""
    with readable(path), path.open("rb") as file:
        head = file.read(HEAD)
    if _is_csv(path, head):
        raise Refused(
            f"{path} is a CSV file, and no manifest. Make one of it, which says how to go on:\n"
            f"{command(_import_csv(path))}"
        )


def _is_csv(path: Path, head: bytes) -> bool:
    """Return whether a text is called CSV, or begins with a header that has images in a column."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        head = head.decode("utf-16", "replace").encode()
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text or text.startswith((b"{", b"[")) or b"\0" in head:
        return False
    if any(head.startswith(magic) for magic, _ in NO_TEXT):
        return False
    header = text.splitlines()[0].decode("utf-8", "replace")
    names = {name.strip(' "').lower() for name in re.split(r"[,;\t|]", header)}
    return path.suffix.lower() in (".csv", ".tsv") or not names.isdisjoint(IMAGE_COLUMNS)


def _import_csv(path: Path) -> str:
    made = path.with_name(f"{path.stem}.manifest")
    if made == path:
        made = path.with_name(f"{path.stem}-lines.manifest")
    return f"import --csv {quote(str(path))} --out {quote(str(made))}"


def count_manifest(manifest: Path, settings: Settings, called: str = "") -> Summary:
    """Count what a run would make of the manifest; Refused, in the run's words, if nothing.

    `called` is the name of a manifest that is no file of a person's.
    """
    with pieces_of(manifest) as read:
        try:
            if settings.is_custom:
                summary = group_lines(read, settings, _discard, ANY_SOURCE)
            else:
                images = read_boxes(read, settings)
                summary = group_manifest(images, settings, _discard, TemporaryFile)
        except TesseraError as error:
            raise Refused(
                f"{called or manifest} would be refused: {error} ({type(error).__name__}).\n"
                f"{manifest_remedy(manifest)}"
            ) from error
    return summary


def count_lines(lines: bytes, name: str, settings: Settings) -> Summary:
    """Count what a run would make of a manifest that is no file; `name` is what it is called."""
    with TemporaryDirectory() as scratch:
        manifest = Path(scratch, f"{name}.manifest")
        manifest.write_bytes(lines)
        return count_manifest(manifest, settings, called=name)


@contextmanager
def pieces_of(manifest: Path) -> Iterator[Callable[[], Iterator[bytes]]]:
    """Give a function that reads the manifest in pieces, each time from its beginning.

    The screen shows how far it is.
    """
    with progress(f"bytes of {manifest.name}", manifest.stat().st_size) as advance:

        def read() -> Iterator[bytes]:
            with manifest.open("rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    yield piece
                    advance(len(piece))

        yield read


class _Discarded:
    """File that keeps nothing."""

    def write(self, data: bytes, /) -> int:
        """Forget the bytes."""
        return len(data)


@contextmanager
def _discard(_: str) -> Iterator[_Discarded]:
    yield _Discarded()
