"""Every word of portal and page is in one file a language; requesters' words are left alone."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from playwright.sync_api import Browser, Page, Route

from tessera.portal import errors
from tessera.portal.site import LANGUAGES
from tests.ui.conftest import FIRST_SCREEN_LOADED, KNOWN
from tests.ui.test_layout import FAULTS
from tests.ui.worker import PICTURES, Pictures, page_html, settings, version_in

UI = Path(__file__).parents[2] / "ui"
FILES = {name: json.loads((UI / "languages" / f"{name}.json").read_text()) for name in LANGUAGES}
ENGLISH = FILES["en"]["words"]
HOLE = re.compile(r"\{\w+\}")
TEMPLATES = [
    UI / "portal" / "index.liquid.html",
    UI / "portal" / "review.html",
    UI / "tiles" / "page.liquid.html",
    *sorted(UI.glob("*/parts/*.html")),
]
FUNCTIONS = UI.parent / "functions" / "tessera"
HTTP_API = FUNCTIONS / "aws" / "http_api.py"
PORTAL = sorted((FUNCTIONS / "portal").glob("*.py"))
SCRIPTS = sorted([*(UI / "portal").glob("*.js"), *UI.glob("*/script/*.js")])
PUT_TOGETHER = {
    "{number} page left for you",
    "{number} pages left for you",
    "Page {number}, set aside: {reason}",
    "Page {number}, tried again: {reason}",
    "Row {number} is right ✓",
}
"""What the scripts put together out of parts, so that it stands in none of them as it is."""
NOT_OURS = {"Tessera"}  # names are the same in every language


REFUSALS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PortalError)
}
REQUESTERS = {
    "job_lifecycle.py", "job_request.py", "repair.py", "review_views.py", "reviews.py",
    "task_page.py", "qualification.py",
}  # fmt: skip
"""Modules that refuse what states, requesters and reviewers ask."""
NOT_TO_WORKERS = {
    "A request may have {} KiB.", "The answer is not a JSON object.",
    "The answer's meta is not text.", "Picture {} is not on this page.",
    "Picture {} has no choice among its answers.",
    "Picture {} has a choice that this job does not know.", "Picture {} {}.",
    "The request's body is neither text nor base64.", "This job has no practice page.",
    "The pre-annotation function keeps this task from people.",
    'The request is not {"showing": ["task", …]}.',
    "Saved.",  # the page has its own word
}  # fmt: skip
"""What only a client hears that is not the portal's page."""


def sentences_to_workers(path: Path) -> set[str]:
    """Return the sentences with which a module refuses or answers; holes are `{}`."""

    def text_of(node: ast.expr) -> str:
        if isinstance(node, ast.JoinedStr):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        return str(node.value) if isinstance(node, ast.Constant) else ""

    spoken: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            spoken += node.args[:1] if node.func.id in REFUSALS else []
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and re.fullmatch("MESSAGES|ENDED|message", target.id):
                value = node.value
                spoken += value.values if isinstance(value, ast.Dict) else [value]
    return {text for text in map(text_of, spoken) if text}


class Words(HTMLParser):
    """Texts and labels of a template, but for what is a requester's."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: set[str] = set()
        self.skipped: list[str] = []
        comment = r"\[% comment %\].*?\[% endcomment -?%\]"  # nobody is shown one
        html = re.sub(comment, "", html, flags=re.DOTALL)
        self.feed(re.sub(r"\{%.*?%\}|\[%.*?%\]", "", html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"input", "img", "meta", "link", "path"}:
            pass
        elif self.skipped or tag in {"script", "style"} or values.get("translate") == "no":
            self.skipped.append(tag)
        if not self.skipped:
            for name in ("aria-label", "title", "alt", "placeholder"):
                self._add(values.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            self.skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self._add(data)

    def _add(self, text: str) -> None:
        text = " ".join(re.sub(r"\{\{.*?\}\}", "{number}", text).split())
        if re.search(r"[A-Za-z]{2}", HOLE.sub("", text)) and "[[" not in text:
            self.words.add(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_sentences_with_all_their_holes(language: str) -> None:
    words = FILES[language]["words"]
    assert words.keys() == ENGLISH.keys()
    for english, text in words.items():
        assert text.strip()
        assert sorted(HOLE.findall(text)) == sorted(HOLE.findall(english)), english
    assert all(text == english for english, text in ENGLISH.items())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_among_the_words(template: Path) -> None:
    assert Words(template.read_text("utf-8")).words - ENGLISH.keys() - NOT_OURS == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_sentence_of_a_script_is_among_the_words(script: Path) -> None:
    code = re.sub(r"/\*.*?\*/|(?<=\s)//[^\n]*", "", script.read_text("utf-8"), flags=re.DOTALL)
    literals = {one or other for one, other in re.findall(r'"([^"\n]*)"|`([^`]*)`', code)}
    sentences = {text for text in literals if re.fullmatch(r"[A-Z][^<>]* [^<>]*[.…?]", text)}
    shapes = {HOLE.sub("{}", text) for text in ENGLISH}
    assert {re.sub(r"\$\{[^}]*\}", "{}", text) for text in sentences} - shapes == set()


def test_every_sentence_of_the_portal_to_a_worker_is_among_the_words() -> None:
    shapes = {HOLE.sub("{}", text) for text in ENGLISH}
    paths = [path for path in [*PORTAL, HTTP_API] if path.name not in REQUESTERS]
    spoken = {text for path in paths for text in sentences_to_workers(path)}
    assert spoken - shapes - NOT_TO_WORKERS == set()
    assert spoken >= NOT_TO_WORKERS


def test_every_sentence_is_used() -> None:
    sources = [*TEMPLATES, *SCRIPTS, *PORTAL, HTTP_API]
    text = " ".join(" ".join(path.read_text("utf-8").split()) for path in sources)
    text = re.sub(r'" f?"', "", text)  # one string of Python on two lines
    unused = {
        english
        for english in ENGLISH
        if not all(part.strip() in text for part in HOLE.split(english))
    }
    assert unused == PUT_TOGETHER


def made_up(direction: str = "ltr") -> dict[str, Any]:
    """A language in which every sentence is in brackets."""
    return {
        "language": "qps",
        "direction": direction,
        "words": {english: f"⟦{english}⟧" for english in ENGLISH},
    }


STILL_ENGLISH = """() => {
  const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const theirs = node.parentElement.closest(
      "[translate=no], .chip, script, style, noscript, #note.spoken");
    if (!theirs && /[A-Za-z]{2}/.test(node.data) && !node.data.includes("⟦"))
      texts.push(node.data.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [alt], [placeholder]"))
    if (!element.closest("[translate=no]")) for (const name of ["aria-label", "title", "alt"]) {
      const text = element.getAttribute(name);
      if (/[A-Za-z]{2}/.test(text ?? "") && !text.includes("⟦")) texts.push(text);
    }
  return texts;
}"""


def labels_page(
    chromium: Browser, handed: dict[str, Any] | None, language: Any = UNSET, **context: Any
) -> Page:
    """A worker's page, of a job with a language perhaps; in a frame, the portal handed it one."""
    page = chromium.new_context(**context).new_page()
    words = (UI / "portal" / "words.js").read_text("utf-8")
    run = settings("Open", "dog", "Undo", "cannot see", language=language)
    html = page_html(run, 20, prelabels=["dog"] * 4)
    if handed:
        script = f"<script>window.tesseraWords = {json.dumps(handed)};{words}</script>"
        html = html.replace("<head>", f"<head>{script}")
    page.add_init_script(KNOWN.replace("VERSION", version_in(html)))
    page.route(PICTURES + "**", Pictures((480, 360), (300, 480)))
    page.route(
        "https://page.test/", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    page.goto("https://page.test/")
    page.wait_for_function(FIRST_SCREEN_LOADED)
    return page


@pytest.mark.browser
def test_nothing_on_the_page_stays_english_but_what_the_requester_wrote(chromium: Browser) -> None:
    page = labels_page(chromium, made_up())
    page.keyboard.press("1")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.keyboard.press("u")
    assert page.evaluate(STILL_ENGLISH) == []
    assert page.locator("#labels span").all_inner_texts()[:3] == ["Open", "dog", "Undo"]
    assert page.locator("h1").inner_text() == "What is in the picture?"
    assert page.evaluate("document.documentElement.lang") == "qps"
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("own", "handed", "spoken"),
    [("de", None, "de"), ("de", made_up(), "de"), ("en", FILES["de"], "en")],
    ids=["in Ground Truth", "in another browser", "English in a German browser"],
)
def test_a_job_can_choose_its_language(
    chromium: Browser, own: str, handed: dict[str, Any] | None, spoken: str
) -> None:
    page = labels_page(chromium, handed, language=own)
    assert page.evaluate("document.documentElement.lang") == spoken
    words = FILES[spoken]["words"]
    assert page.locator("#submit").inner_text() == words["Submit"]
    page.keyboard.press("Backspace")
    note = page.locator("#note")
    page.wait_for_function("document.querySelector('#note').textContent")
    assert note.text_content() == words["Nothing to undo."]
    page.context.close()


@pytest.mark.browser
def test_numbers_are_written_as_the_language_writes_them(chromium: Browser) -> None:
    page = labels_page(chromium, FILES["de"])
    page.evaluate("document.querySelector('#note').textContent = 'Picture 1,234 of 2,000'")
    page.wait_for_function("document.querySelector('#note').textContent === 'Bild 1.234 von 2.000'")
    english = "52 pages left for you · up to 30 minutes a page"
    page.evaluate("text => document.querySelector('#note').textContent = text", english)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert (
        page.locator("#note").text_content()
        == "noch 52 Seiten für Sie · bis zu 30 Minuten je Seite"
    )
    page.evaluate("document.querySelector('#note').textContent = '91.4 %'")
    page.evaluate("() => new Promise(requestAnimationFrame)")  # a second reading would be 914
    assert page.locator("#note").text_content() == "91,4 %"
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("size", [(390, 844), (844, 390), (1366, 768), (683, 384)])
def test_everything_fits_from_right_to_left(chromium: Browser, size: tuple[int, int]) -> None:
    viewport = {"width": size[0], "height": size[1]}
    page = labels_page(chromium, made_up("rtl"), viewport=viewport)
    assert page.evaluate(FAULTS, 4) == []
    first, second = (page.locator(".tile").nth(at).bounding_box() for at in (0, 1))
    assert first
    assert second
    if first["y"] == second["y"]:
        assert first["x"] > second["x"]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.tile')[1]")
    page.context.close()


@pytest.mark.browser
def test_nothing_of_the_portal_stays_english(chromium: Browser) -> None:
    page = chromium.new_context(locale="de").new_page()
    html = (UI / "portal" / "index.liquid.html").read_text("utf-8")
    html = html.replace("{{ languages }}", "en de").replace("{{ provider }}", "Example")
    html = html.replace("{{ cognito }}", "https://cognito.test")
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

    def serve(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "de.json":
            route.fulfill(body=json.dumps(made_up()), content_type="application/json")
        elif "assets/" in route.request.url:
            folder = UI if name == "design.css" else UI / "portal"
            kind = types[Path(name).suffix]
            route.fulfill(body=(folder / name).read_text("utf-8"), content_type=kind)
        else:
            route.fulfill(body=html, content_type="text/html")

    page.route("**/*", serve)
    page.route("https://cognito.test/**", lambda route: route.abort())
    page.goto("https://portal.test/")
    page.wait_for_function("document.documentElement.lang === 'qps'")
    page.fill("#sign-in [name=name]", "ann@example.org")
    page.fill("#sign-in [name=password]", "a password")
    page.press("#sign-in [name=password]", "Enter")
    page.wait_for_function("document.querySelector('#sign-in .error').textContent")
    assert page.evaluate(STILL_ENGLISH) == []
    assert page.title() == "⟦Sign in⟧ · Tessera"
    page.context.close()
