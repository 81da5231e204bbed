"""Read the log that a page hands in with an answer: what became of each picture on it.

The log is text in the answer's `meta`. Pages of a requester's own may put into it what they like,
so whatever is in another form counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


def read_log(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the page's log in an answer; empty if it has none that can be read.

    >>> read_log({"meta": '{"comment": "dark"}'}), read_log({"meta": "[]"}), read_log({})
    ({'comment': 'dark'}, {}, {})
    """
    log = answer.get("meta", "")
    if not isinstance(log, dict):
        try:
            log = msgspec.json.decode(log)
        except (ValueError, TypeError, RecursionError):
            return {}
    return log if isinstance(log, dict) else {}


def tiles_of(log: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each image that a log has an entry of, and the entry."""
    tiles = log.get("tiles")
    for tile in tiles if isinstance(tiles, list) else ():
        if isinstance(tile, dict):
            yield str(tile.get("id")), tile


def unloaded_images(log: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """Return the images that did not load and that nobody chose a label for, by the page's log.

    >>> log = {"tiles": [{"id": "0", "load": "error"}, {"id": "1", "load": "error"}]}
    >>> unloaded_images(log, {"0": {"cat": True}, "1": {"cat": False}})
    ['1']
    """
    # a page of a run begun long ago chose the escape by itself, and said so
    failed = {
        image: tile.get("by") == "auto-error"
        for image, tile in tiles_of(log)
        if tile.get("load") == "error"
    }
    return [
        image
        for image, is_automatic in failed.items()
        if is_automatic or not has_choice(answer.get(image))
    ]


def has_choice(choice: Any) -> bool:
    """Return whether something was chosen: radios of an image without an answer are all false.

    >>> has_choice({"cat": False}), has_choice({"cat": True}), has_choice("cat"), has_choice(None)
    (False, True, True, False)
    """
    return any(choice.values()) if isinstance(choice, dict) else bool(choice)
