"""Name the kinds of task: what each shows to workers, and which answers to an image it takes.

A kind is found by its name, the setting `task`. Here is what the portal and the page need of it at
once; how its answers become labels is in the module of its own that `consolidate_labels` calls
(`label_run`, `multi_run`, `custom_run`), how labels are exported in `tessera.exports`. A worked
example of a new kind is in docs/change.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tessera.tiling.settings import TaskKind

Choices = Mapping[str, bool]
"""Choices of an image as a page's form hands them in: each with whether it was made."""


class Kind(NamedTuple):
    """Kind of task: the file of its page in the stack's `ui` folder, and its rule of answers.

    `problem` says what is wrong with the choices that a worker made for one image, or nothing.
    """

    page: str
    problem: Callable[[Choices], str]


def one_choice(choices: Choices) -> str:
    """Return a problem unless exactly one choice was made.

    >>> one_choice({"cat": True, "dog": False}), one_choice({"cat": False})
    ('', 'needs exactly one choice')
    """
    return "" if sum(choices.values()) == 1 else "needs exactly one choice"


def any_choices(choices: Choices) -> str:
    """Return a problem only if nothing was asked: that none of the labels fits is an answer.

    >>> any_choices({"cat": True, "dog": True}), any_choices({"cat": False}), any_choices({})
    ('', '', 'has no choice among its answers')
    """
    return "" if choices else "has no choice among its answers"


KINDS: dict[TaskKind, Kind] = {
    "tiles": Kind("tiles.liquid.html", one_choice),
    "multi": Kind("multi.liquid.html", any_choices),
    # One choice for each box of a picture, on a page that shows boxes.
    "verify": Kind("boxes.liquid.html", one_choice),
    "boxes": Kind("boxes.liquid.html", one_choice),
    # The project's own page, whose answers are no choices, or are no affair of ours.
    "custom": Kind("", any_choices),
}
"""Kinds of task by name: the values that the setting `task` takes."""
