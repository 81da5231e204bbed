"""Templates that were written for Ground Truth, answered with mouse and keyboard in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tessera.tiling.page.crowd_elements import STAND_INS

SCRIPT = (Path(__file__).parents[2] / "ui" / "crowd-elements.js").read_text("utf-8")
SUBMIT = "crowd-button[form-action=submit]"

Show = Callable[[str], Page]


@pytest.fixture
def show(chromium: Browser) -> Iterator[Show]:
    """Shows a template under the policy that the portal's frame has."""
    context = chromium.new_context()

    def open_page(template: str) -> Page:
        page = context.new_page()
        policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
        html = f'<meta http-equiv="Content-Security-Policy" content="{policy}; img-src data:">'
        page.set_content(f"{html}<script>{SCRIPT}</script>{template}")
        page.wait_for_function("customElements.get('crowd-form') !== undefined")
        return page

    yield open_page
    context.close()


def answer_of(page: Page) -> Any:
    """Submit the page and return its answer; None if it was not handed in."""
    page.locator(SUBMIT).first.click()
    box = page.locator("#answer")
    return json.loads(box.text_content() or "")[0] if box.count() else None


def test_there_is_a_stand_in_for_each_element_that_is_let_through_and_no_other() -> None:
    table = SCRIPT[SCRIPT.index("const ELEMENTS") :]
    assert set(re.findall(r'"(crowd-[a-z-]+)":', table)) == STAND_INS


FIELDS = {
    "crowd-input": ('<crowd-input name="f" label="Name"></crowd-input>', "ann"),
    "crowd-text-area": ('<crowd-text-area name="f" label="Name"></crowd-text-area>', "ann\nbob"),
    "input": ('<input name="f" aria-label="Name">', "ann"),
    "textarea": ('<form><textarea name="f" aria-label="Name"></textarea></form>', "ann"),
}
CHOICES = {
    "crowd-classifier": {"label": "Dog"},
    "crowd-image-classifier": {"label": "Dog"},
    "crowd-classifier-multi-select": {"labels": ["Dog"]},
    "crowd-image-classifier-multi-select": {"labels": ["Dog"]},
}


@pytest.mark.browser
@pytest.mark.parametrize("name", FIELDS)
def test_a_text_is_the_value_under_the_fields_name_and_its_label_is_read_out(
    show: Show, name: str
) -> None:
    markup, text = FIELDS[name]
    page = show(f"<crowd-form>{markup}</crowd-form>")
    assert answer_of(page) is None
    assert (
        "Nothing is answered yet" in page.locator("crowd-form").inner_html()
        or page.get_by_text("Nothing is answered yet").is_visible()
    )
    page.get_by_label("Name").fill(text)
    assert answer_of(page) == {"f": text}


@pytest.mark.browser
@pytest.mark.parametrize("categories", ["['Cat', 'Dog']", '["Cat","Dog"]', "['Cat', \"Dog\",]"])
@pytest.mark.parametrize("name", CHOICES)
def test_a_category_is_chosen_by_its_digit_and_nothing_is_sent_without_one(
    show: Show, name: str, categories: str
) -> None:
    quoted = categories.replace('"', "&quot;")
    page = show(
        f'<crowd-form><{name} name="f" header="Which?" categories="{quoted}" src="data:,">'
        "<classification-target>a text</classification-target>"
        "<short-instructions>Look.</short-instructions>"
        f'<full-instructions header="All">Look twice.</full-instructions></{name}></crowd-form>'
    )
    assert answer_of(page) is None
    assert page.get_by_text("Please choose").is_visible()
    assert page.get_by_text("Look.", exact=True).is_visible()
    page.keyboard.press("2")
    assert page.get_by_label("Dog").is_checked()
    assert answer_of(page) == {"f": CHOICES[name]}


@pytest.mark.browser
def test_none_of_the_above_is_an_answer_that_stands_alone(show: Show) -> None:
    page = show(
        '<crowd-form><crowd-classifier-multi-select name="f" header="Which?" '
        "categories=\"['Cat', 'Dog']\" exclusion-category=\"{ text: 'None of the above' }\">"
        "</crowd-classifier-multi-select></crowd-form>"
    )
    page.get_by_label("Cat").check()
    page.get_by_label("None of the above").check()
    assert not page.get_by_label("Cat").is_checked()
    assert answer_of(page) == {"f": {"labels": ["None of the above"]}}


@pytest.mark.browser
def test_boxes_and_buttons_answer_true_and_false_under_their_values(show: Show) -> None:
    page = show(
        '<crowd-form><crowd-checkbox name="look" value="dim">Dim</crowd-checkbox>'
        '<crowd-checkbox name="look" value="blurry">Blurry</crowd-checkbox>'
        '<crowd-toggle-button name="t">On</crowd-toggle-button>'
        '<crowd-radio-group><crowd-radio-button name="a" value="yes">Yes</crowd-radio-button>'
        '<crowd-radio-button name="b" value="no">No</crowd-radio-button></crowd-radio-group>'
        "</crowd-form>"
    )
    page.get_by_role("checkbox", name="Dim").check()
    assert answer_of(page) is None
    page.get_by_role("radio", name="Yes").focus()
    page.keyboard.press("ArrowDown")  # the group is one, whatever its buttons are called
    assert answer_of(page) == {
        "look": {"dim": True, "blurry": False},
        "t": {"on": False},
        "a": {"yes": False},
        "b": {"no": True},
    }


@pytest.mark.browser
def test_a_slider_that_nobody_moved_is_no_answer(show: Show) -> None:
    page = show('<crowd-form><crowd-slider name="s" min="1" max="5"></crowd-slider></crowd-form>')
    assert answer_of(page) is None
    page.get_by_role("slider").press("ArrowRight")
    assert answer_of(page) == {"s": 4}


@pytest.mark.browser
def test_a_required_field_and_a_template_that_forbids_it_keep_an_answer_back(show: Show) -> None:
    page = show(
        '<crowd-form><crowd-input name="f" label="Name" required></crowd-input>'
        '<input type="hidden" name="made" value="before"></crowd-form>'
        "<script>let parent = 1; document.querySelector('crowd-form').onsubmit = event => {"
        "if (document.querySelector('crowd-input').value === 'no') event.preventDefault(); }"
        "</script>"
    )
    assert answer_of(page) is None
    page.get_by_label("Name").fill("no")
    assert answer_of(page) is None
    page.get_by_label("Name").fill("yes")
    page.get_by_label("Name").press("Enter")
    assert json.loads(page.locator("#answer").text_content() or "") == [
        {"f": "yes", "made": "before"}
    ]


@pytest.mark.browser
def test_instructions_modals_and_tabs_open_by_keyboard_and_alerts_close(show: Show) -> None:
    page = show(
        '<crowd-form><crowd-instructions link-text="How"><short-summary>In short'
        "</short-summary><positive-example>Like this</positive-example></crowd-instructions>"
        '<crowd-tabs><crowd-tab header="One">first</crowd-tab><crowd-tab header="Two">second'
        '</crowd-tab></crowd-tabs><crowd-alert type="error" dismissible>Mistake</crowd-alert>'
        '<crowd-input name="f"></crowd-input></crowd-form>'
    )
    page.get_by_role("button", name="How").press("Enter")
    assert page.get_by_text("Like this").is_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="One").press("ArrowRight")
    assert page.get_by_text("second").is_visible()
    assert not page.get_by_text("first").is_visible()
    page.get_by_role("button", name="Close").click()
    assert page.get_by_text("Mistake").count() == 0
