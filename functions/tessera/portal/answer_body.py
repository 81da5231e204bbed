"""Read the body of an answer: check it against its page, and tell which choices it names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

import msgspec

from tessera.portal.errors import Invalid, TooLarge
from tessera.portal.page_names import restore_indexes
from tessera.tiling.answers.flags import check_flags, read_flags
from tessera.tiling.answers.page_log import has_choice, read_log, unloaded_images
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.kinds.task_kinds import KINDS, Kind

MAX_BYTES = 512 * 1024
"""Bytes of an answer: a hundred images with all that the page measures take a tenth of it."""


def read_answer(
    body: bytes,
    indexes: Collection[str] | None,
    choices: Collection[str],
    names: Mapping[str, str] | None = None,
    kind: Kind = KINDS["tiles"],
) -> Any:
    """Return the answer in a request's body; `names` are the page's names of its images.

    With the task's indexes given, it must have choices for each and no other, as many as the kind
    of task takes; with the job's choices given, only those. Images that the page's log says did not
    load may have none, and are left out. Raises `Invalid` with a sentence, `TooLarge` by its size.

    >>> read_answer(b'{"7":{"cat":true,"dog":false},"meta":"{}"}', {"7"}, ("cat", "dog"))["7"]
    {'cat': True, 'dog': False}
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"The answer is longer than {MAX_BYTES // 1024} KiB.")
    try:
        answer = msgspec.json.decode(body)
    except NOT_JSON as error:
        raise Invalid("The answer is not JSON.") from error
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]  # crowd-form puts a list around its one object
    if not isinstance(answer, dict):
        raise Invalid("The answer is not a JSON object.")
    if names:
        answer = restore_indexes(answer, names)
    if indexes is not None:
        # Images that did not load and have no choice count as not asked.
        unloaded = unloaded_images(read_log(answer), answer)
        for index in unloaded:
            if not has_choice(answer.get(index)):
                answer.pop(index, None)
        _check(answer, set(indexes), unloaded, choices, kind)
    elif not any(is_filled(value) for key, value in answer.items() if key != "meta"):
        raise Invalid("Nothing on this page is answered yet.")
    return answer


def is_filled(value: Any) -> bool:
    """Return whether a field of a page of somebody's own holds an answer.

    >>> is_filled({"cat": False}), is_filled({"labels": ["cat"]}), is_filled("  "), is_filled(0)
    (False, True, False, True)
    """
    if isinstance(value, dict):
        return any(map(is_filled, value.values()))
    if isinstance(value, list):
        return any(map(is_filled, value))
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value is not False


def _check(
    answer: dict[str, Any],
    indexes: Set[str],
    unloaded: Iterable[str],
    choices: Collection[str],
    kind: Kind,
) -> None:
    """Raise `Invalid` unless the answer makes known choices for each index and no other."""
    if not isinstance(answer.get("meta", ""), str):
        raise Invalid("The answer's meta is not text.")
    try:
        check_flags(answer)
    except ValueError as error:
        raise Invalid(str(error)) from error
    if strange := sorted(answer.keys() - indexes - {"meta"}):
        # A name may be as long as the body, and the sentence is for a person.
        raise Invalid(f"Picture {strange[0][:40]} is not on this page.")
    if not answer.keys() & indexes:
        raise Invalid("No picture on this page has an answer.")
    if missing := indexes - answer.keys() - {*unloaded}:
        raise Invalid(f"{len(missing)} of {len(indexes)} pictures have no answer.")
    for index in sorted(answer.keys() & indexes):
        values = answer[index]
        # Not what is true to Python: neither 1 nor "false" is a choice.
        if not isinstance(values, dict) or not all(type(v) is bool for v in values.values()):
            raise Invalid(f"Picture {index} has no choice among its answers.")
        if choices and values.keys() - set(choices):
            raise Invalid(f"Picture {index} has a choice that this job does not know.")
        if problem := kind.problem(values):
            raise Invalid(f"Picture {index} {problem}.")


NONE = "none of them"
"""Name of an answer that no label fits, in what requesters see of answers."""


def choices_in(answer: Mapping[str, Any], *, sets: bool = False) -> dict[str, str]:
    """Return the choice of each image that has exactly one; with `sets`, the whole set as a text.

    A page of another form may have others, or none; they are kept and not compared.

    >>> choices_in({"7": {"cat": True, "dog": False}, "meta": "{}"})
    {'7': 'cat'}
    >>> choices_in({"7": {"cat": True, "dog": True}, "8": {"cat": False}}, sets=True)
    {'7': 'cat + dog', '8': 'none of them'}
    """
    chosen = sets_in(answer)
    if sets:
        return {index: " + ".join(names) or NONE for index, names in chosen.items()}
    return {index: names[0] for index, names in chosen.items() if len(names) == 1}


def sets_in(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the choices that were made for each image, in the order of the page.

    >>> sets_in({"7": {"cat": True, "dog": True}, "8": {"cat": False}, "meta": "{}"})
    {'7': ['cat', 'dog'], '8': []}
    """
    return {
        index: [name for name, value in values.items() if value is True]
        for index, values in answer.items()
        if isinstance(values, dict)
    }


def is_same_answer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two answers to a task make the same choices.

    What the page measured is no part of that: it goes on while an answer is sent again. Pictures
    that are flagged are. Of a page of another form everything else counts.

    >>> is_same_answer({"7": {"cat": True, "dog": False}, "meta": "{}"}, {"7": {"cat": True}})
    True
    """
    return _content_of(one) == _content_of(other) and read_flags(one) == read_flags(other)


def _content_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in answer.items() if key != "meta"}
    # A set of choices is the same in whatever order, and whether or not it names what is false.
    if all(map(_is_group, fields.values())):
        return {key: sorted(names) for key, names in sets_in(fields).items()}
    return dict(choices_in(answer)) or fields


def _is_group(values: Any) -> bool:
    return isinstance(values, dict) and all(type(value) is bool for value in values.values())
