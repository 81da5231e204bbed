"""Both stages of the page: what a requester writes reaches the worker as text, and only so."""

import gzip
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from liquid import Environment

from tessera.tiling.page.instructions_html import render_instructions
from tessera.tiling.page.page import (
    CROWD_SCRIPT,
    build_page,
    render_task,
    shortcut_keys,
    with_stand_in,
)
from tessera.tiling.settings import Settings

UI = Path(__file__).parents[3] / "ui"
TEMPLATE = (UI / "tiles.liquid.html").read_text(encoding="utf-8")
STAND_IN = (UI / "crowd-form.js").read_text(encoding="utf-8")

NASTY = (
    "quotes \" and ' both",
    "<b>bold</b> & co",
    "{{ task.input.images }}",
    "{% for x in y %}",
    "[[ question ]]",
    "}} %} ]]",
    "鶴 🦩 Ünïcödé",
)
names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40).filter(
    str.strip
)
labels = st.lists(names, min_size=2, max_size=50, unique=True).map(tuple)


class Radios(HTMLParser):
    """Parser that collects the values of each group of radio buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "input" and attributes.get("type") == "radio":
            group = self.groups.setdefault(attributes["name"] or "", [])
            group.append(attributes["value"] or "")


def settings(*labels: str, question: str = "What is it?", instructions: str = "") -> Settings:
    return Settings(labels=labels, question=question, instructions=instructions)


def page_of(run: Settings, images: int = 2) -> str:
    task = [{"source-ref": f"s3://pets/{i}.jpg", "index": i} for i in range(images)]
    page = build_page(TEMPLATE, run)
    return render_task(page, {"images": task}, lambda uri: f"https://pets/?a=1&uri={uri}")


def radios(html: str) -> dict[str, list[str]]:
    parser = Radios()
    parser.feed(html)
    return parser.groups


@hypothesis_settings(deadline=None)
@given(labels)
def test_every_tile_offers_every_choice_as_it_was_written(labels: tuple[str, ...]) -> None:
    run = settings(*labels)
    assert radios(page_of(run)) == {"0": list(run.choices), "1": list(run.choices)}


@pytest.mark.parametrize("text", NASTY)
def test_a_question_is_text_whatever_is_in_it(text: str) -> None:
    html = page_of(settings("cat", "dog", question=text))
    title = html.partition("<title>")[2].partition("</title>")[0]
    assert "<" not in title
    assert unescape(title) == text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_instructions_are_markdown_and_never_html(text: str) -> None:
    html = page_of(settings("cat", "dog", instructions=f"# Cats\n\n**Look** {text}"))
    assert "<h2>Cats</h2>" in html
    assert "<strong>Look</strong>" in html
    assert text not in html


class Elements(HTMLParser):
    """Elements and attributes of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


PLAIN = "p h2 h3 h4 h5 h6 ul li em strong blockquote pre hr br table thead tbody tr"
ALLOWED: dict[str, set[str]] = {tag: set() for tag in PLAIN.split()} | {
    "ol": {"start"},
    "code": {"class"},
    "a": {"href", "title", "target", "rel"},
    "img": {"src", "alt", "title", "loading"},
    "th": {"style"},
    "td": {"style"},
}
"""All that instructions may become."""

PIECES = (
    "[a]( ![b]( <c javascript: JaVa&#115;cript: data:text/html, &#x3c; https://x/ mailto:a@b // # "
    ") \" ' > < ` * <script> onerror= parent.postMessage(1) [r]: [r] \\ ]"
)
markdown = st.text(max_size=60) | st.builds(
    "".join, st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\t"]), max_size=14)
)


@given(markdown)
@example("[a](https://x/ 't\" onclick=\"parent.postMessage(1)')")
@example('<https://x/"onmouseover=alert(1)>')
@example("[r]\n\n[r]: javascript:alert(1)")
@example("<A0:> <ms-settings:x> [call](tel:1)")
def test_instructions_become_text_links_and_pictures_and_nothing_that_acts(text: str) -> None:
    for tag, attributes in Elements(render_instructions(text)).found:
        assert attributes.keys() <= ALLOWED[tag]
        for name in ("href", "src"):
            scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", attributes.get(name) or "", re.I)
            assert not scheme or scheme[1].lower() in {"http", "https", "mailto", "s3"}
        if tag == "a":
            assert attributes["target"] == "_blank"
            assert attributes["rel"] == "noopener noreferrer"


def test_a_script_link_in_the_instructions_is_no_link() -> None:
    html = page_of(settings("cat", "dog", instructions="[press](javascript:alert(1))"))
    assert 'href="javascript' not in html


def test_instructions_cannot_be_liquid() -> None:
    text = "`{{ task.input }}` {% if x %} [a](https://x/%7B%7B)"
    html = page_of(settings("cat", "dog", instructions=text))
    assert "<code>&#123;&#123; task.input &#125;&#125;</code>" in html


@hypothesis_settings(deadline=None)
@given(labels)
def test_keys_are_short_and_none_begins_another(labels: tuple[str, ...]) -> None:
    typed = shortcut_keys(labels)
    assert all(1 <= len(key) <= 2 for key in typed)
    assert all(a == b or not b.startswith(a) for a in typed for b in typed)
    assert len(set(typed)) == len(labels)


@hypothesis_settings(deadline=None)
@given(labels)
def test_no_key_begins_with_a_command_of_the_page(labels: tuple[str, ...]) -> None:
    assert not {key[0] for key in shortcut_keys(labels)} & {"u", "z", "?", " "}


def test_digits_as_labels_are_typed_as_themselves() -> None:
    digits = [str(digit) for digit in range(10)]
    assert shortcut_keys([*digits, "cannot see"]) == (*digits, "c")


def test_the_page_reads_exactly_what_a_task_gives() -> None:
    page = build_page(TEMPLATE, settings("cat", "dog"))
    read = Environment(extra=False)
    read.add_filter("grant_read_access", str)
    names = {
        str(name) for uses in read.from_string(page).analyze().globals.values() for name in uses
    }
    assert {name.removesuffix(".size") for name in names} == {"task.input.images"}


scripts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{["), max_size=80
)


@hypothesis_settings(deadline=None)
@given(scripts)
def test_a_script_of_ones_own_reaches_the_worker_character_by_character(script: str) -> None:
    """Only Liquid's delimiters mean something in a page: no comment, string or space is touched."""
    page = f'const s = "see // this"; next();\n  `{script}` // {script}\n'
    assert render_task(build_page(page, settings("cat", "dog")), {"images": []}, str) == page


def test_links_are_escaped_once() -> None:
    assert 'src="https://pets/?a=1&amp;uri=s3://pets/0.jpg"' in page_of(settings("cat", "dog"))


def test_the_stand_in_takes_the_place_of_amazons_script() -> None:
    html = with_stand_in(page_of(settings("cat", "dog")), STAND_IN)
    assert CROWD_SCRIPT not in html
    assert 'customElements.define("crowd-form"' in html


def test_a_page_that_asks_for_no_crowd_script_is_refused() -> None:
    with pytest.raises(ValueError, match="does not load"):
        with_stand_in("<p>nothing</p>", STAND_IN)


def test_twenty_pictures_come_with_a_browsers_first_round_trip() -> None:
    run = settings("cat", "dog", "neither", "invalid image")
    assert len(gzip.compress(page_of(run, 20).encode())) <= 14 * 1024


def test_the_template_fits_what_ground_truth_takes() -> None:
    run = settings(*(f"a label of some length {n:02}" for n in range(50)))
    assert len(build_page(TEMPLATE, run)) < 128_000


@given(
    st.lists(
        st.sampled_from(
            [" // ", "/* ", " */", "  ", "<!-- ", "--x:", "https://", "\\n", "`", "a b"]
        )
        | st.text(st.characters(exclude_characters="[]{}%\r", exclude_categories=["Cs"])),
        max_size=6,
    ).map("".join)
)
def test_nothing_inside_a_page_of_ones_own_is_changed_on_its_way_to_the_worker(text: str) -> None:
    page = f'<script>const text = "{text}";  // kept</script>\n<p>{text}</p>\n'
    built = build_page(page, settings("cat", "dog"))
    assert render_task(built, {"images": []}, str) == page
