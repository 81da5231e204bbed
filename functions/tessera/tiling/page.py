"""The worker's page: a run's labels and question put into the template, then one task into that.

Two stages, since two parties render. `build_page` fills in what is the same for a whole run and
leaves a Liquid template that reads only `task.input`; Ground Truth renders that for every task, and
`render_task` does it the same way for the portal. The stages differ in their delimiters: `[[ ]]`
and `[% %]` for the first, Liquid's own for the second.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from liquid import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from tessera.tiling.settings import Settings

CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"

DIGITS = "123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# U and Z alone mean "unsure" and "zoom" on the page, so no label's keys begin with them.
FIRST = LETTERS.replace("u", "").replace("z", "") + "0" + DIGITS
SECOND = LETTERS + "0" + DIGITS

# Fill and text. The first three and the escape's gray stay apart for color-blind eyes; past those
# no color can tell who is who, and the key and the name, which always show, do.
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


def keys(choices: Sequence[str]) -> tuple[str, ...]:
    """Say what to type for each choice: a digit, or one or two characters of its name.

    Digits count the choices as long as there are at most nine and none is itself named by a digit.
    No key begins another one, so the page never waits to see whether more is coming.

    >>> keys(["cat", "dog"])
    ('1', '2')
    >>> keys(["0", "1", "cannot see"])
    ('0', '1', 'c')
    >>> keys(["ant", "bee", "bear", "cat", "dog", "elk", "fox", "gnu", "hen", "鶴"])
    ('a', 'be', 'ba', 'c', 'd', 'e', 'f', 'g', 'h', 'i')
    """
    if len(choices) <= len(DIGITS) and not any(name.strip().isdecimal() for name in choices):
        return tuple(DIGITS[: len(choices)])
    found: dict[int, str] = {}
    for first, members in _by_first_character(choices).items():
        taken: set[str] = set()
        for at in members:
            wanted = _typeable(choices[at]).partition(first)[2] + SECOND
            second = next(character for character in wanted if character not in taken)
            taken.add(second)
            found[at] = first if len(members) == 1 else first + second
    return tuple(found[at] for at in range(len(choices)))


def build_page(template: str, settings: Settings) -> str:
    """Put a run's labels, question and instructions into the template of the worker's page."""
    colors = iter(COLORS * len(settings.choices))
    choices = [
        {
            "name": _inert(str(escape(choice))),
            "key": key,
            "escape": choice == settings.escape,
            "color": color,
            "text": text,
        }
        for choice, key in zip(settings.choices, keys(settings.choices), strict=True)
        for color, text in [ESCAPE_COLOR if choice == settings.escape else next(colors)]
    ]
    return (
        _run_stage()
        .from_string(template)
        .render(
            question=_inert(str(escape(settings.question))),
            instructions=_inert(_html(settings.instructions)),
            choices=choices,
            build=hashlib.sha256(template.encode()).hexdigest()[:12],
        )
    )


def render_task(page: str, task_input: Mapping[str, Any], grant: Callable[[str], str]) -> str:
    """Render a run's page for one task as Ground Truth does; `grant` turns S3 URIs into links."""
    environment = _task_stage()
    environment.add_filter("grant_read_access", lambda uri: grant(str(uri)))
    return environment.from_string(page).render(task={"input": task_input})


def with_stand_in(page: str, script: str) -> str:
    """Put `script` where the page asks for Amazon's, for places that load nothing from outside."""
    asked = f'<script src="{CROWD_SCRIPT}"></script>'
    if asked not in page:
        raise ValueError(f"the page does not load {CROWD_SCRIPT}")
    own = script.replace("</script", r"<\/script")
    return page.replace(asked, f"<script>{own}</script>", 1)


def _html(markdown: str) -> str:
    """Render Markdown, its headings one level down: the question is the page's first heading."""
    renderer = MarkdownIt("commonmark", {"html": False})
    tokens = renderer.parse(markdown)
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return str(renderer.renderer.render(tokens, renderer.options, {}))


def _typeable(name: str) -> str:
    """Reduce a name to what every keyboard has: "Épée 2" is "epee2"."""
    plain = unicodedata.normalize("NFKD", name).lower()
    return "".join(character for character in plain if character in SECOND)


def _by_first_character(choices: Sequence[str]) -> Mapping[str, list[int]]:
    """Deal the choices out to first characters: their own, or the emptiest if that is full."""
    dealt: defaultdict[str, list[int]] = defaultdict(list)
    own = [next((a for a in _typeable(name) if a in FIRST), "") for name in choices]
    # Named choices first, so that one without a letter takes what nobody has a claim to.
    for at in sorted(range(len(choices)), key=lambda at: not own[at]):
        first = own[at]
        if not first or len(dealt[first]) == len(SECOND):
            first = min(FIRST, key=lambda character: len(dealt[character]))
        dealt[first].append(at)
    return dealt


def _inert(markup: str) -> Markup:
    """Spell braces and percent signs as entities, so that HTML cannot be Liquid as well."""
    return Markup(markup.replace("{", "&#123;").replace("}", "&#125;").replace("%", "&#37;"))


@cache
def _run_stage() -> Environment:
    return Environment(
        autoescape=True,
        tag_start_string="[%",
        tag_end_string="%]",
        statement_start_string="[[",
        statement_end_string="]]",
    )


def _task_stage() -> Environment:
    """Make an environment with what Ground Truth adds to Liquid."""
    environment = Environment(autoescape=True)
    environment.add_filter("to_json", lambda value: json.dumps(value, ensure_ascii=False))
    environment.add_filter("skip_autoescape", lambda value: Markup(value))
    return environment
