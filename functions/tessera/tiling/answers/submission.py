"""Parse one worker's submission: out of its wrappings, without the page's log."""

from __future__ import annotations

from typing import Any

import msgspec

from tessera.tiling.answers.short_form import (
    Index,
)

_CONTENT_LIMIT = 2_000
"""Characters of an odd answer's content that are written down."""


class Odd(msgspec.Struct, frozen=True):
    """Something in the answers that could not be used as it was, and why."""

    where: str
    reason: str
    task: str = ""
    worker: str = ""
    image: str = ""
    content: str = ""


def open_content(content: str | bytes | dict[str, Any] | list[Any]) -> dict[str, Any]:
    """The one object that a form submitted, out of the wrappings that it may come in.

    >>> open_content('[{"annotatedResult": {"0": {"cat": true}}}]')
    {'0': {'cat': True}}
    """
    opened = msgspec.json.decode(content) if isinstance(content, str | bytes) else content
    if isinstance(opened, list) and len(opened) == 1:
        opened = opened[0]
    if isinstance(opened, dict) and "annotatedResult" in opened:
        return open_content(opened["annotatedResult"])
    if not isinstance(opened, dict):
        raise ValueError("the answer is not an object")
    return opened


def split_meta(answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """The answer without the page's log of itself, and the seconds an image that the log tells.

    The log stays whole in `worker-response/`; the output manifest carries only its seconds.

    >>> meta = '{"tiles": [{"id": "0", "dwell": 1250}]}'
    >>> split_meta({"0": {"cat": True}, "meta": meta})
    ({'0': {'cat': True}}, {'0': 1.25})
    """
    if "meta" not in answer:
        return answer, {}
    rest = {key: value for key, value in answer.items() if key != "meta"}
    return rest, _seconds_of(answer["meta"], rest)


def _seconds_of(meta: Any, answer: dict[str, Any]) -> dict[str, float]:
    """Seconds an image: as measured on each, else the page's time shared out, else nothing."""
    try:
        log = msgspec.json.decode(meta) if isinstance(meta, str) else meta
        tiles = log.get("tiles", ())
        measured = {str(tile["id"]): round(tile["dwell"] / 1000, 3) for tile in tiles}
        if any(measured.values()):
            return {key: seconds for key, seconds in measured.items() if key in answer}
        page = (log["submitMs"] - log["readyMs"] - log.get("hiddenMs", 0)) / 1000
        return {key: round(page / len(answer), 3) for key in answer} if page > 0 else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}  # a log is a convenience: an answer is as good without it


def cut(content: Any) -> str:
    """The content as text, bounded, for writing down."""
    try:
        text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    except (TypeError, ValueError):
        text = repr(content)
    return text[:_CONTENT_LIMIT]


class _Shown(msgspec.Struct, gc=False):
    """An image of a task, as far as answers need it."""

    index: Index


_read_shown = msgspec.json.Decoder(list[_Shown]).decode


def chosen(choice: Any) -> str:
    """The one choice that is true; a ValueError that says why there is none.

    >>> chosen({"cat": False, "dog": True})
    'dog'
    """
    if isinstance(choice, str):
        return choice
    if not isinstance(choice, dict):
        raise ValueError("not an object of choices")
    if isinstance(choice.get("label"), str):  # crowd-image-classifier's way to say it
        return str(choice["label"])
    true = [name for name, value in choice.items() if value is True]
    if len(true) != 1:
        raise ValueError(f"{len(true)} choices are true")
    return str(true[0])


def shown_in(source: Any) -> list[int]:
    """The indices of a task's images, from its `source`; a ValueError when it is no such thing.

    >>> shown_in('[{"source-ref": "s3://pets/1.jpg", "index": 1}]')
    [1]
    """
    images = (
        _read_shown(source) if isinstance(source, str) else msgspec.convert(source, list[_Shown])
    )
    return [image.index for image in images]
