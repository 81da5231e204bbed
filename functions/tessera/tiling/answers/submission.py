"""Parse one worker's submission: take it out of its wrappings, without the page's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from tessera.tiling.answers.flags import one_line, read_flags
from tessera.tiling.answers.page_log import read_log, unloaded_images

UNREADABLE_LABEL = -1
"""Label number of an answer that says the image cannot be judged."""
UNUSABLE_LABEL = -2
"""Label number of an answer that names no single label of the list."""

EXCERPT_LENGTH = 2_000
"""Characters of odd content that are written down: enough to see what it is, and too few for a
hostile page to fill the file with."""

MOST_SECONDS = 7 * 24 * 3600
"""Seconds spent on a page, beyond which the number is none: a lease lasts 8 hours at most, and
infinity would be in every mean of the report."""

MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What reading somebody's JSON may raise: thousands of brackets, numbers of a thousand digits."""

ImageIndex = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class OddAnswer(msgspec.Struct, frozen=True):
    """Part of the answers that could not be used as it was: a line of `odd-answers.jsonl`.

    `where` is the job's name, `reason` begins with words that are the same for all of a kind.
    """

    where: str
    reason: str
    task: str = ""
    worker: str = ""
    image: str = ""
    content: str = ""


class Submission(msgspec.Struct, gc=False):
    """One worker's answers to one task; `annotation` is the form's object in its own bytes.

    `seconds` has the time spent on each image, by the form's keys, where that was measured;
    `unloaded` names the images that did not load for the worker, and so have no answer; `flags`
    has the reasons of those that the worker flagged.
    """

    worker: str = msgspec.field(name="workerId")  # as Ground Truth spells it
    annotation: msgspec.Raw
    seconds: dict[str, float] | None = None
    unloaded: list[str] | None = None
    flags: dict[str, str] | None = None


class _TaskImage(msgspec.Struct, gc=False):
    """Image of a task, as far as answers need it."""

    index: ImageIndex


_decode_images = msgspec.json.Decoder(list[_TaskImage]).decode


def image_indices(source: Any) -> list[int]:
    """Return the indices of a task's images from its `source`, text or list.

    Raises ValueError if it is no such list.

    >>> image_indices('[{"source-ref": "s3://pets/1.jpg", "index": 1}]')
    [1]
    """
    if isinstance(source, str):
        images = _decode_images(source)
    else:
        images = msgspec.convert(source, list[_TaskImage])
    return [image.index for image in images]


def unwrap(content: str | bytes | dict[str, Any] | list[Any]) -> dict[str, Any]:
    """Return the one object that a form submitted, out of the wrappings that it may come in.

    Raises ValueError if it is none.

    >>> unwrap('[{"annotatedResult": {"0": {"cat": true}}}]')
    {'0': {'cat': True}}
    """
    form = msgspec.json.decode(content) if isinstance(content, str | bytes) else content
    if isinstance(form, list) and len(form) == 1:
        form = form[0]
    if isinstance(form, dict) and "annotatedResult" in form:
        return unwrap(form["annotatedResult"])
    if not isinstance(form, dict):
        raise ValueError("the answer is not an object")
    return form


class SplitAnswer(NamedTuple):
    """Answers of a form without the page's log, and what the log says of them.

    `seconds` are those spent on each image, `unloaded` names the images that did not load.
    """

    answer: dict[str, Any]
    seconds: dict[str, float]
    unloaded: list[str]


def split_meta(answer: dict[str, Any]) -> SplitAnswer:
    """Separate the answer from the page's log.

    The log stays whole in `worker-response/`; the output manifest carries only its seconds, which
    images were flagged (`flags`), and which did not load. Those have no answer, whatever the form
    hands in for them.

    >>> meta = '{"tiles": [{"id": "0", "dwell": 1250}, {"id": "1", "load": "error"}]}'
    >>> split_meta({"0": {"cat": True}, "1": {"cat": False}, "meta": meta})
    SplitAnswer(answer={'0': {'cat': True}}, seconds={'0': 1.25}, unloaded=['1'])
    """
    if "meta" not in answer:
        return SplitAnswer(answer, {}, [])
    log = read_log(answer)
    unloaded = unloaded_images(log, answer)
    left_out = {"meta", *unloaded}
    rest = {key: value for key, value in answer.items() if key not in left_out}
    return SplitAnswer(rest, _seconds_by_image(log, rest), unloaded)


def _seconds_by_image(log: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, float]:
    """Return the seconds measured on each image, else the page's time shared out, else nothing."""
    try:
        tiles = log.get("tiles", ())
        measured = {
            key: round(tile["dwell"] / 1000, 3)
            for tile in tiles
            if (key := str(tile["id"])) in answer and _is_duration(tile["dwell"] / 1000)
        }
        if any(measured.values()):
            return measured
        page = (log["submitMs"] - log["readyMs"] - log.get("hiddenMs", 0)) / 1000
        if not _is_duration(page):
            return {}
        return {key: round(page / len(answer), 3) for key in answer}
    except MALFORMED:
        return {}  # the log is a convenience: an answer is as good without it


def chosen_label(choice: Any) -> str:
    """Return the one choice that is true; raises ValueError that says why there is none.

    >>> chosen_label({"cat": False, "dog": True})
    'dog'
    """
    if isinstance(choice, str):
        return choice
    if not isinstance(choice, dict):
        raise ValueError("not an object of choices")
    if isinstance(choice.get("label"), str):  # as crowd-image-classifier writes it
        return str(choice["label"])
    true = [name for name, value in choice.items() if value is True]
    if len(true) != 1:
        raise ValueError(f"{len(true)} choices are true")
    return str(true[0])


def chosen_labels(choice: Any) -> list[str]:
    """Return all choices that are true; raises ValueError for what is no object of choices.

    >>> chosen_labels({"cat": True, "dog": True}), chosen_labels({"cat": False})
    (['cat', 'dog'], [])
    """
    # neither 1 nor "false" is a choice, and an answer of them is none
    if not isinstance(choice, dict) or not all(type(value) is bool for value in choice.values()):
        raise ValueError("not an object of choices")
    return [name for name, value in choice.items() if value]


def read_submission(entry: dict[str, Any], key: str) -> Submission:
    """Read a submission that may be wrapped in any way; `entry[key]` holds the answers.

    Raises one of `MALFORMED` if it cannot be read.
    """
    form = unwrap(entry[key])
    (answer, seconds, unloaded), flags = split_meta(form), read_flags(form)
    if not unloaded and isinstance(entry.get("unloaded"), list):  # as `pack` names them
        unloaded = [image for image in entry["unloaded"] if isinstance(image, str)]
    if not flags and isinstance(entry.get("flags"), dict):
        flags = {k: one_line(v) for k, v in entry["flags"].items() if isinstance(v, str)}
    annotation = msgspec.Raw(msgspec.json.encode(answer))
    seconds = seconds or _time_spent(entry, answer)
    return Submission(read_worker(entry), annotation, seconds, unloaded, flags)


def read_worker(entry: dict[str, Any]) -> str:
    """Return a submission's worker; raises ValueError if it names none.

    >>> read_worker({"workerId": "private.eu-west-1.ann"})
    'private.eu-west-1.ann'
    """
    worker = entry["workerId"]
    if isinstance(worker, bool) or not isinstance(worker, str | int) or worker == "":
        raise ValueError("the worker has no name")
    return str(worker)


def _time_spent(entry: dict[str, Any], answer: dict[str, Any]) -> dict[str, float]:
    """Return the seconds beside a submission: each image's own, or the task's shared out."""
    by_image, of_task = entry.get("seconds"), entry.get("timeSpentInSeconds")
    if isinstance(by_image, dict):
        return {
            key: float(value)
            for key, value in by_image.items()
            if isinstance(value, int | float) and _is_duration(value)
        }
    if isinstance(of_task, int | float) and _is_duration(of_task) and answer:
        return dict.fromkeys(answer, round(of_task / len(answer), 3))
    return {}


def _is_duration(seconds: float) -> bool:
    """Return whether a person can have taken so long; a page may send any number."""
    return 0 < seconds <= MOST_SECONDS


def excerpt(content: Any) -> str:
    """Return the beginning of some content as text, to be written down."""
    try:
        text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    except MALFORMED:
        text = f"content of the type {type(content).__name__} that cannot be written"
    return text[:EXCERPT_LENGTH]
