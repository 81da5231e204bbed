"""Name the images of a page so that a name tells nothing of the image: not its line, not its rank.

A manifest's lines rise over a page but for its gold images, so their numbers would tell which those
are. On the page an image is called by its task and its place there; an answer's names become
indexes again before anything is checked or stored. What a worker can still see of gold:
docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tessera.tiling.errors import NOT_JSON


def page_names(task: int, indexes: list[str]) -> dict[str, str]:
    """Return the index of each name on the page of a task with these images, in their order.

    >>> page_names(7, ["412", "31"])
    {'7-0': '412', '7-1': '31'}
    """
    return {f"{task}-{place}": index for place, index in enumerate(indexes)}


def hide_indexes(task_input: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a page reads with names instead of indexes; another form stays as it is.

    >>> hide_indexes({"images": [{"index": 412}]}, {"7-0": "412"})
    {'images': [{'index': '7-0'}]}
    """
    images = task_input.get("images")
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        return task_input
    by_index = {index: name for name, index in names.items()}
    named = []
    for image in images:
        name = by_index.get(str(image.get("index")))
        named.append(image | {"index": name} if name else image)
    return task_input | {"images": named}


def restore_indexes(answer: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return an answer, and the page's log in it, with the indexes of the images.

    >>> restore_indexes({"7-0": {"cat": True}, "meta": "{}"}, {"7-0": "412"})
    {'412': {'cat': True}, 'meta': '{}'}
    """
    restored = {names.get(name, name): value for name, value in answer.items()}
    if "meta" in restored:
        restored["meta"] = _restore_log(restored["meta"], names)
    return restored


def _restore_log(meta: Any, names: Mapping[str, str]) -> Any:
    """Return the page's log with indexes; one in a form of its own stays as it is."""
    try:
        log = msgspec.json.decode(meta)
        tiles = [tile | {"id": _index(tile["id"], names)} for tile in log["tiles"]]
        order = [_index(name, names) for name in log["order"]] if "order" in log else None
    except (*NOT_JSON, TypeError, KeyError):
        return meta
    log = log | {"tiles": tiles} | ({"order": order} if order is not None else {})
    return msgspec.json.encode(log).decode()


def _index(name: Any, names: Mapping[str, str]) -> Any:
    return names.get(name, name) if isinstance(name, str) else name
