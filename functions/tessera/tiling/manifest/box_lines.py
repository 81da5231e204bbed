"""Cut a manifest's lines into boxes: of a line with several, a line for each.

A run reads its manifest through `box_lines`, so that all that follows knows one line an image, as
it does of whole pictures: a line for each box, with the key `box` for where it was. A line that
cannot be cut is handed on with the reason in that key, for `LineReader` to reject. Why so:
docs/decisions/boxes-a-line-each.md.

    {…,"bounding-box":{"annotations":[A,B],…}}    one line of the manifest, the first
        {…,"bounding-box":{"annotations":[A],…},"box":{"line":1,"number":1}}
        {…,"bounding-box":{"annotations":[B],…},"box":{"line":1,"number":2}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from tessera.tiling.manifest.boxes import (
    PLACE_KEY,
    BoxUnusable,
    Place,
    class_number,
    decode_members,
    take_boxes,
)
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK, MAX_LINE_BYTES, excerpt
from tessera.tiling.manifest.stream import BLOCK_BYTES, manifest_lines
from tessera.tiling.settings import Settings

ReadBytes = Callable[[], Iterator[bytes]]
"""Reads a manifest's bytes from its beginning, each time it is called."""
ON_BOXES = ("gold", "prelabel", "prelabel-confidence")
"""Keys of a line that one box may have, since what is known of one is not of the others."""
MAX_OTHERS = 2_000
"""Bytes of all other keys of a line with several boxes, each of which gets a copy: a line of 5,000
boxes would be 10 MB of them."""


def box_lines(chunks: Iterable[bytes], settings: Settings) -> Iterator[bytes]:
    """Yield a manifest's bytes with a line for each box; as they are if its images are pictures.

    >>> from tessera.tiling.settings import read_settings
    >>> line = (
    ...     b'{"source-ref":"s3://b/1","bounding-box":{"image_size":[{"width":9,"height":9}],'
    ...     b'"annotations":[{"left":0,"top":0,"width":4,"height":4},'
    ...     b'{"left":4,"top":4,"width":4,"height":4}]}}'
    ... )
    >>> b"".join(box_lines([line], read_settings(b'{"task": "verify"}'))).count(b"\\n")
    2
    """
    if not settings.has_boxes:
        yield from chunks
        return
    key = settings.box_key
    held: list[bytes] = []
    size = 0
    for number, line in enumerate(manifest_lines(chunks), 1):
        for each in _lines_of(line, number, key):
            held.append(each)
            size += len(each)
        if size > BLOCK_BYTES:  # blocks of one line would be parsed far more slowly
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)


def read_boxes(read: ReadBytes, settings: Settings) -> ReadBytes:
    """Return a function that reads a manifest with a line for each box, where it has boxes."""
    return lambda: box_lines(read(), settings)


def _lines_of(line: bytes, number: int, key: str) -> Iterator[bytes]:
    """Yield the lines of a line's boxes; of one that cannot be used, one that says why."""
    raw = line.removesuffix(b"\r")
    if number == 1:
        raw = raw.removeprefix(BYTE_ORDER_MARK)
    try:
        yield from _cut(raw, number, key)
    except BoxUnusable as bad:
        yield _unusable(Place(number, 0, str(bad)), raw)
    except RecursionError:
        yield _unusable(Place(number, 0, "nested too deep"), raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        known = isinstance(error, msgspec.ValidationError)
        yield _unusable(
            Place(number, 0, "not a JSON object" if known else f"not JSON: {error}"), raw
        )


def _unusable(place: Place, raw: bytes) -> bytes:
    return msgspec.json.encode({PLACE_KEY: place, "content": excerpt(raw)}) + b"\n"


def _cut(raw: bytes, number: int, key: str) -> Iterator[bytes]:
    """Yield a line for each box of a line, each with its own part of the metadata."""
    if len(raw) > MAX_LINE_BYTES:
        raise BoxUnusable(
            f"longer than {MAX_LINE_BYTES:,} bytes; put its boxes on several lines of one picture"
        )
    if not raw or raw.isspace():
        raise BoxUnusable("the line is empty")
    raw.decode()  # the decoder does not check text in keys that it skips
    members = decode_members(raw)
    members.pop(PLACE_KEY, None)  # of an earlier run; this one has its own
    if "source-ref" not in members:
        raise BoxUnusable("no source-ref")
    boxes, metadata = take_boxes(members, key)
    annotations = boxes["annotations"]
    objects, names = metadata.pop("objects", None), metadata.pop("class-map", None)
    names = names if isinstance(names, dict) else {}
    shared = {name: value for name, value in boxes.items() if name != "annotations"}
    _check_members(members, [shared, metadata], len(annotations))
    if not isinstance(objects, list) or len(objects) != len(annotations):
        objects = [None] * len(annotations)  # whose each is cannot be told
    for place, annotation in enumerate(annotations):
        known = annotation if isinstance(annotation, dict) else {}
        own = {name: known[name] for name in ON_BOXES if name in known}
        rest = {name: value for name, value in known.items() if name not in ON_BOXES}
        facts = metadata | _facts_of(known, names, objects[place])
        yield msgspec.json.encode({
            **members,
            **own,
            key: {"annotations": [rest or annotation], **shared},
            **({f"{key}-metadata": facts} if facts else {}),
            PLACE_KEY: Place(number, place + 1),
        }) + b"\n"  # fmt: skip


def _check_members(members: dict[str, msgspec.Raw], shared: list[Any], boxes: int) -> None:
    """Raise BoxUnusable for keys that several boxes of a line cannot share.

    `shared` is what of the boxes and their metadata is none of one box's.
    """
    if boxes <= 1:
        return
    for name in ON_BOXES:
        if name in members:
            raise BoxUnusable(
                f"{name}: of which of the {boxes} boxes? Put it into its annotation, beside left"
            )
    others = sum(len(name) + len(bytes(value)) for name, value in members.items())
    others += len(msgspec.json.encode(shared))
    if others > MAX_OTHERS:
        raise BoxUnusable(
            f"its keys beside the boxes are {others:,} bytes, and each of {boxes} boxes would get "
            f"them; leave out what is not needed, down to {MAX_OTHERS:,}"
        )


def _facts_of(annotation: dict[str, Any], names: dict[str, Any], fact: Any) -> dict[str, Any]:
    """Return the metadata of one box: its own object, and the name of its own class."""
    own = {} if fact is None else {"objects": [fact]}
    number = str(class_number(annotation))
    return own | ({"class-map": {number: names[number]}} if number in names else {})
