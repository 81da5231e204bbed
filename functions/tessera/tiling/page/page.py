"""Build the worker's page: a run's labels and question into the template, then one task into that.

Two stages, since two parties render. `build_page` fills in what is the same for a whole run and
leaves a Liquid template that reads only `task.input`; Ground Truth renders that for every task, and
`render_task` does it the same way for the portal. The stages differ in their delimiters: `[[ ]]`
and `[% %]` for the first, Liquid's own for the second. ui/README.md has the contract of a page.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote_plus

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError
from markupsafe import Markup, escape

from tessera.tiling.errors import PageUnusable
from tessera.tiling.page.instructions_html import any_picture, render_instructions, without_liquid
from tessera.tiling.page.own_page import NAME as PAGE_NAME
from tessera.tiling.page.plain_output import PLAIN_TAGS
from tessera.tiling.settings import Settings, question_of

CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
"""Amazon's script, which turns `<crowd-form>` into a form that Ground Truth takes answers from."""
CROWD_TAG = re.compile(
    rf"<script\b[^>]*\bsrc=[\"']{re.escape(CROWD_SCRIPT)}[\"'][^>]*>\s*</script>", re.I
)
"""Element that loads it, however a template spells that: the portal and `preview` replace it."""

DIGITS = "123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# U and Z alone mean "unsure" and "zoom" on the page, so no label's keys begin with them.
FIRST_CHARACTERS = LETTERS.replace("u", "").replace("z", "") + "0" + DIGITS
SECOND_CHARACTERS = LETTERS + "0" + DIGITS

# Fill and text. The first three and the escape's gray stay apart for color-blind eyes; beyond those
# no color can identify a label, but its key and its name, which always show, do. Past eight the
# colors begin again, each time with another pattern (`.p1` and on in ui/tiles/page.liquid.html).
# Every pair has the contrast that WCAG asks of small text, 4.5 to 1 (tests/ui/test_looks.py).
COLORS = (
    ("#0072b2", "#fff"),
    ("#b26a00", "#000"),
    ("#7b2d6f", "#fff"),
    ("#00734f", "#fff"),
    ("#a3282c", "#fff"),
    ("#3b3b98", "#fff"),
    ("#6b5900", "#fff"),
    ("#b0447c", "#fff"),
)
ESCAPE_COLOR = ("#555", "#fff")


def shortcut_keys(choices: Sequence[str]) -> tuple[str, ...]:
    """Return what to type for each choice: a digit, or one or two characters of its name.

    Digits count the choices as long as there are at most nine and none is itself named by a digit.
    No key begins another one, so the page never waits to see whether more is coming.

    >>> shortcut_keys(["cat", "dog"])
    ('1', '2')
    >>> shortcut_keys(["0", "1", "cannot see"])
    ('0', '1', 'c')
    >>> shortcut_keys(["ant", "bee", "bear", "cat", "dog", "elk", "fox", "gnu", "hen", "鶴"])
    ('a', 'be', 'ba', 'c', 'd', 'e', 'f', 'g', 'h', 'i')
    """
    if len(choices) <= len(DIGITS) and not any(name.strip().isdecimal() for name in choices):
        return tuple(DIGITS[: len(choices)])
    keys: dict[int, str] = {}
    for first, members in _by_first_character(choices).items():
        taken: set[str] = set()
        for choice in members:
            # the characters after the first in the name, then any: 50 choices leave some free
            candidates = _typeable(choices[choice]).partition(first)[2] + SECOND_CHARACTERS
            second = next(character for character in candidates if character not in taken)
            taken.add(second)
            keys[choice] = first if len(members) == 1 else first + second
    return tuple(keys[choice] for choice in range(len(choices)))


def build_page(
    template: str,
    settings: Settings,
    shape: float | None = None,
    folder: str = "",
    allowed: Callable[[str], bool] = any_picture,
    language: str = "",
    *,
    stack_file: str = "",
) -> str:
    """Put a run's labels, question and instructions into the template of the worker's page.

    `shape` is width by height of most of the run's pictures, if it is known; `folder` is the URI
    of the folder whose pictures the instructions show, and `allowed` tells which S3 URIs they may
    show; `language` is the script of the run's own language (`page_language`); `stack_file` names
    the template in the stack's `ui` folder, or is empty if it is the project's own. Raises
    PageUnusable if the template does not allow it.
    """
    colors = ((*color, turn) for turn in range(len(settings.choices)) for color in COLORS)
    choices = [
        {
            "name": _without_liquid(str(escape(choice))),
            # for the page to compare with the labels that a task asks: nothing ends a string
            "id": quote_plus(choice),
            "key": key,
            "escape": choice == settings.escape,
            "color": color,
            "text": text,
            "pattern": pattern,
        }
        for choice, key in zip(settings.choices, shortcut_keys(settings.choices), strict=True)
        for color, text, pattern in [
            (*ESCAPE_COLOR, 0) if choice == settings.escape else next(colors)
        ]
    ]
    instructions = render_instructions(settings.instructions, folder, allowed)
    try:
        return (
            _run_environment()
            .from_string(template)
            .render(
                question=_without_liquid(str(escape(settings.question))),
                # of a question made of the labels, a page of some of them makes one of its own
                made=settings.question == question_of(settings.task, list(settings.labels)),
                instructions=Markup(instructions),
                # The page opens them by itself until a worker has seen this version of them.
                version=_short_hash(instructions) if instructions else "",
                choices=choices,
                language=Markup(inline_script(language)),
                shape=shape or "",
                build=_short_hash(template),
            )
        )
    except LiquidError as error:
        raise page_unusable(error, stack_file) from error


def inline_script(text: str) -> str:
    """Return a script for an element in a page, which its own text cannot end."""
    return text.replace("</script", r"<\/script")


def render_task(page: str, task_input: Mapping[str, Any], grant: Callable[[str], str]) -> str:
    """Render a run's page for one task as Ground Truth does; `grant` turns S3 URIs into links."""
    token = _grant.set(grant)
    try:
        return _compiled(page).render(task={"input": task_input})
    finally:
        _grant.reset(token)


SAMPLE = (
    {"source-ref": "s3://bucket/1.jpg", "index": 0},
    {"source-ref": "s3://bucket/2.jpg", "index": 1, "width": 640, "height": 480,
     "original-ref": "s3://bucket/2.png"},
)  # fmt: skip
"""Images of a task that a page is tried with: with all that an image may have, and with little."""


def check_page(page: str, settings: Settings, *, stack_file: str = "") -> None:
    """Raise PageUnusable, with the reason, if a run's page cannot be rendered for a task.

    `stack_file` names its template in the stack's `ui` folder; empty if it is the project's own.
    """
    guess = {"prelabel": settings.choices[0], "prelabel-confidence": 0.5}
    images = [SAMPLE[0], SAMPLE[1] | guess]
    try:
        render_task(page, {"images": images}, str)
    except Exception as error:  # a template can do almost anything
        raise page_unusable(error, stack_file) from error


def page_unusable(error: Exception, stack_file: str = "") -> PageUnusable:
    """Return the refusal of a page, of the stack or the project's own, that failed so."""
    reason = " ".join(str(error).split())
    if not stack_file:
        return PageUnusable(
            f"{PAGE_NAME} of this project cannot be rendered: "
            f"{type(error).__name__}: {reason}; mend it and drop the manifest again"
        )
    return PageUnusable(
        f"{stack_file}, the page of this stack, cannot be rendered: "
        f"{type(error).__name__}: {reason}; mend it in the stack's ui folder and deploy again"
    )


def with_stand_in(page: str, script: str) -> str:
    """Put `script` where the page asks for Amazon's, for places that load nothing from outside.

    Raises ValueError for a page that does not ask for it.
    """
    element = f'<script src="{CROWD_SCRIPT}"></script>'
    if element not in page:
        raise ValueError(f"the page does not load {CROWD_SCRIPT}")
    inline = inline_script(script)
    return page.replace(element, f"<script>{inline}</script>", 1)


def _typeable(name: str) -> str:
    """Reduce a name to characters that every keyboard has: "Épée 2" is "epee2"."""
    plain = unicodedata.normalize("NFKD", name).lower()
    return "".join(character for character in plain if character in SECOND_CHARACTERS)


def _by_first_character(choices: Sequence[str]) -> Mapping[str, list[int]]:
    """Group choices by first character: their own, or the least used if they have none free."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    initials = [
        next((character for character in _typeable(name) if character in FIRST_CHARACTERS), "")
        for name in choices
    ]
    # Named choices first, so that one without a letter takes a character that no name begins with.
    for choice in sorted(range(len(choices)), key=lambda choice: not initials[choice]):
        first = initials[choice]
        if not first or len(groups[first]) == len(SECOND_CHARACTERS):
            first = min(FIRST_CHARACTERS, key=lambda character: len(groups[character]))
        groups[first].append(choice)
    return groups


def _short_hash(text: str) -> str:
    """Return twelve hexadecimal digits that tell this text from others."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_liquid(markup: str) -> Markup:
    return Markup(without_liquid(markup))


@cache
def _run_environment() -> Environment:
    """Make an environment whose delimiters leave those of the second stage alone."""
    return Environment(
        autoescape=True,
        tag_start_string="[%",
        tag_end_string="%]",
        statement_start_string="[[",
        statement_end_string="]]",
    )


_grant: ContextVar[Callable[[str], str]] = ContextVar("grant")
"""What turns S3 URIs into links, for the task that is being rendered."""


@lru_cache(maxsize=8)
def _compiled(page: str) -> BoundTemplate:
    """Parse a run's page: it takes as long as rendering, and all tasks of the run have the same."""
    return _task_environment().from_string(page)


@cache
def _task_environment() -> Environment:
    """Make an environment with what Ground Truth adds to Liquid."""
    environment = Environment(autoescape=True)
    for tag in PLAIN_TAGS:
        environment.add_tag(tag)
    environment.add_filter("grant_read_access", lambda uri: _grant.get()(str(uri)))
    environment.add_filter("to_json", lambda value: json.dumps(value, ensure_ascii=False))
    environment.add_filter("skip_autoescape", lambda value: Markup(value))
    return environment
