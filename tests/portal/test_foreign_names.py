"""Pages whose variables, elements and fields have the names of what the portal's scripts use."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tessera.portal import job_lifecycle
from tests.portal.desk import Desk, front

pytestmark = pytest.mark.browser

CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
FIELDS = ("elements", "submit", "action", "reportValidity", "dispatchEvent", "location", "parent")
"""Names of fields that hide what a form has of these names."""
INPUTS = "".join(
    f'<input name="{name}" aria-label="{name}">'
    if at % 2
    else f'<crowd-input name="{name}" label="{name}"></crowd-input>'
    for at, name in enumerate(FIELDS)
)

VARIABLES = (
    "var fetch = 1, parent = 2, JSON = 3, Object = 4, open = 5, write, close, words, on, all;"
)
LEXICAL = "let fetch = 1; const JSON = 3; class CustomEvent {} let SubmitEvent, Date, name;"
EVERYTHING = """
const window_ = window, names = Object.getOwnPropertyNames(window), define = Object.defineProperty;
const describe = Object.getOwnPropertyDescriptor, own = ["window_", "names", "define", "describe"];
for (const name of names)
  if (describe(window_, name)?.configurable)
    define(window_, name, { value: "theirs", writable: true, configurable: true });
"""
"""Hides every global that can be hidden at all."""
ELEMENTS = """
const members = [];
for (const name in document) members.push(name);
const create = document.createElement.bind(document), body = document.currentScript.parentNode;
for (const name of members)
  for (const tag of ["img", "form"]) {
    const element = create(tag);
    element.setAttribute("name", name);
    element.setAttribute("id", name);
    element.setAttribute("hidden", "");
    body.append(element);
  }
"""
"""Gives elements the names of all that a document has, which hides it: `document.forms`, say."""


@pytest.mark.parametrize(
    "names",
    [VARIABLES, LEXICAL, EVERYTHING, ELEMENTS],
    ids=["variables", "lexical", "everything", "elements"],
)
def test_a_page_may_call_its_variables_elements_and_fields_as_it_likes(
    desk: Desk, names: str
) -> None:
    template = (
        f"<!doctype html><div><script>{names}</script></div>{CROWD}"
        f"<crowd-form><form name=action>{INPUTS}</form></crowd-form>"
    )
    desk.context.set_default_timeout(60_000)  # a busy machine is no fault of the page
    request = desk.custom_request(template, b'{"source": "a text"}')
    job = job_lifecycle.open_job(desk.world.ports, request)
    page = desk.sit_down(job, wait=False)
    for name in FIELDS:
        front(page).get_by_label(name, exact=True).fill(f"my {name}")
    front(page).locator("crowd-button").click()
    expect(page.locator("#between h2")).to_have_text("This job is done", timeout=60_000)

    (answer,) = desk.world.stored(job).values()
    assert answer["answerContent"] == {name: f"my {name}" for name in FIELDS}
    described = job_lifecycle.close_job(desk.world.ports, request)
    assert described["LabelCounters"]["HumanLabeled"] == 1
    assert desk.faults == []
