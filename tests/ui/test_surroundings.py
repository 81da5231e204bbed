"""In Ground Truth's frame, in the portal's, with no script at all: the page still answers."""

from __future__ import annotations

import pytest

from tests.ui.worker import Sit, settings

pytestmark = pytest.mark.browser

FRAME = """<!doctype html><title>portal</title><body>
<iframe {} src="https://page.test/" width="1300" height="700" title="task"></iframe>
<script>addEventListener("message", event => {{ window.message = event.data; }})</script>"""


@pytest.mark.parametrize("sandbox", ["", 'sandbox="allow-scripts"'], ids=["plain", "sandboxed"])
def test_in_a_frame_of_another_site_keys_work_at_once(sit: Sit, sandbox: str) -> None:
    worker = sit(2, around=FRAME.format(sandbox))
    frame = worker.page.frame_locator("iframe")
    frame.locator(".wait").first.wait_for(state="detached")
    frame.locator(".wait").first.wait_for(state="detached")
    worker.press("2", "1")
    chosen = frame.locator(".tile input:checked")
    assert chosen.evaluate_all("radios => radios.map(r => r.value)") == ["dog", "cat"]


def test_in_a_sandbox_the_answer_goes_to_the_surroundings(sit: Sit) -> None:
    worker = sit(1, around=FRAME.format('sandbox="allow-scripts"'), listen=False)
    worker.page.frame_locator("iframe").locator(".wait").wait_for(state="detached")
    worker.press("2", "Enter")
    worker.page.wait_for_function("window.message")
    message = worker.page.evaluate("window.message")
    assert message["tessera"] == "answer"
    assert message["answer"]["0"]["dog"] is True


def test_the_portals_policy_lets_the_page_work(sit: Sit) -> None:
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src *"
    worker = sit(2, policy=policy)
    worker.press("1", "2", "Enter")
    assert len(worker.answers) == 1


def test_nothing_is_loaded_but_pictures_and_the_crowd_script(sit: Sit) -> None:
    worker = sit(20)
    assert worker.refused == []
    worker = sit(20, stand_in=False)
    assert worker.refused == ["https://assets.crowd.aws/crowd-html-elements.js"]


def test_without_the_crowd_script_the_page_still_takes_answers_and_says_what_is_wrong(
    sit: Sit,
) -> None:
    worker = sit(2, stand_in=False)
    worker.press("1", "2")
    assert worker.labels == ["cat", "dog"]
    worker.press("Enter")
    assert "Not sent" in worker.note


def test_without_scripts_every_tile_names_its_labels_and_takes_an_answer(sit: Sit) -> None:
    worker = sit(2, context={"java_script_enabled": False})
    named = ["1", "cat", "2", "dog", "3", "neither", "4", "invalid", "image"]
    assert worker.page.locator("#labels").inner_text().split() == named
    assert worker.tile(2).locator(".answers").inner_text().split() == named
    worker.tile(2).get_by_text("dog").click()
    assert worker.labels == [None, "dog"]


@pytest.mark.parametrize("images", [1, pytest.param(101, marks=pytest.mark.slow)])
def test_one_picture_and_a_hundred_and_one(sit: Sit, images: int) -> None:
    worker = sit(images)
    for number in range(1, images + 1):
        worker.tile(number).locator(".wait").wait_for(state="detached")
        worker.press("2")
    worker.press("Enter")
    assert sum(value["dog"] for key, value in worker.answers[0].items() if key != "meta") == images


@pytest.mark.parametrize(
    "names",
    [
        ("yes", "no"),
        ('a "quoted" one', "an 'other'", "R & D", "<b>bold</b>", "{{ task }}", "x" * 40),
        ("鶴", "🦩", "Ünïcödé", "cat"),
    ],
    ids=["two", "awkward", "of every script"],
)
def test_labels_come_back_as_the_requester_wrote_them(sit: Sit, names: tuple[str, ...]) -> None:
    run = settings(*names)
    worker = sit(len(run.choices), run=run)
    worker.press(*map(str, range(1, len(run.choices) + 1)), "Enter")
    (answer,) = worker.answers
    chosen = [
        next(name for name, yes in answer[str(n)].items() if yes) for n in range(len(run.choices))
    ]
    assert chosen == list(run.choices)
    assert worker.meta["classes"] == list(run.choices)


def test_meta_says_how_the_answers_came_about_and_nothing_of_the_machine(sit: Sit) -> None:
    worker = sit(2)
    worker.press("1", "ArrowLeft", "2", "2", "?")
    worker.page.locator("#comment").fill("the second is blurred")
    worker.press("Escape", "Enter")
    meta = worker.meta
    assert meta.keys() == {
        "v", "ui", "mode", "classes", "order", "n", "cols", "size", "vw", "vh", "dpr", "touch",
        "readyMs", "firstInputMs", "submitMs", "hiddenMs", "blockedSubmits", "undos",
        "returns", "shortcutsOff", "tiles", "rows", "comment",
    }  # fmt: skip
    assert meta["comment"] == "the second is blurred"
    assert meta["readyMs"] <= meta["firstInputMs"] <= meta["submitMs"]
    first, second = meta["tiles"]
    assert first.keys() == {
        "id", "pos", "label", "pre", "by", "first", "last", "changes", "prev", "dwell",
        "visibleMs", "zooms", "zoomMs", "load", "loadMs", "failures", "w", "h", "beforeLoad",
    }  # fmt: skip
    assert (first["label"], first["changes"], first["prev"]) == ("dog", 1, ["cat"])
    assert (second["label"], second["changes"], second["by"]) == ("dog", 0, "key")
    assert all(isinstance(tile["first"], int) for tile in meta["tiles"])
    assert "Mozilla" not in str(worker.answers)
