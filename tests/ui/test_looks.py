"""What the eye meets: everything in view, nothing that jumps, nothing that cannot be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tessera.tiling.page.page import COLORS, ESCAPE_COLOR
from tests.ui.conftest import FIRST_SCREEN_LOADED
from tests.ui.contrast import contrast
from tests.ui.worker import Pictures, Sit, Worker, settings

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LARGE = {"viewport": {"width": 1920, "height": 1080}}


@pytest.mark.parametrize("context", [{}, LARGE], ids=["laptop", "monitor"])
@pytest.mark.parametrize("prelabels", [[], ["cat"] * 10 + ["dog"] * 9 + ["neither"]])
def test_twenty_pictures_fit_without_scrolling(
    sit: Sit, context: dict[str, Any], prelabels: list[str]
) -> None:
    worker = sit(20, context=context, prelabels=prelabels)
    for element in ("document.documentElement", "document.querySelector('main')"):
        assert worker.page.evaluate(f"{element}.scrollHeight <= {element}.clientHeight")
        assert worker.page.evaluate(f"{element}.scrollWidth <= {element}.clientWidth")


@pytest.mark.parametrize("shape", [(480, 360), (112, 112), (900, 500), (300, 480)])
def test_pictures_of_any_shape_fill_their_tiles(sit: Sit, shape: tuple[int, int]) -> None:
    worker = sit(20, pictures=Pictures(shape))
    box = worker.picture(1).bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(shape[0] / shape[1], rel=0.12)


@pytest.mark.parametrize("known", [{"sizes": [(300, 480)] * 20}, {"shape": 0.625}])
def test_the_pictures_shape_is_the_tiles_before_a_picture_is_there(
    sit: Sit, known: dict[str, Any]
) -> None:
    pictures = Pictures((300, 480))
    pictures.hold(*range(20))
    worker = sit(20, pictures=pictures, wait=False, **known)
    before = worker.picture(20).bounding_box()
    assert before
    assert before["width"] < before["height"]
    for number in range(20):
        pictures.release(number)
    worker.page.wait_for_function(FIRST_SCREEN_LOADED)
    assert worker.picture(20).bounding_box() == before
    assert worker.page.evaluate("window.shift ?? 0") <= 0.01


def test_keys_are_taken_while_the_tiles_take_on_the_pictures_shape(sit: Sit) -> None:
    worker = sit(4)
    worker.page.evaluate("document.querySelector('#tiles').style.visibility = 'hidden'")
    worker.page.wait_for_function("document.activeElement === document.body")
    worker.press("1", "2")
    assert worker.labels == ["cat", "dog", None, None]


def test_what_is_transparent_in_a_picture_shows_as_squares(sit: Sit) -> None:
    worker = sit(4, pictures=Pictures((900, 300)))
    image = worker.tile(1).locator("img")
    assert "repeating-conic-gradient" in image.evaluate("e => getComputedStyle(e).backgroundImage")
    box = image.bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_magnifier_has_its_handle_in_colors_that_the_system_forces(
    sit: Sit, scheme: str
) -> None:
    worker = sit(1, context={"forced_colors": "active", "color_scheme": scheme})
    image = Image.open(io.BytesIO(worker.page.locator(".glass").screenshot())).convert("L")
    beyond_the_ring = image.crop((20, 20, image.width - 4, image.height - 4)).histogram()
    assert any(beyond_the_ring[:64]), "nothing dark"
    assert any(beyond_the_ring[192:]), "nothing bright"


def test_labels_past_eight_differ_by_a_pattern(sit: Sit) -> None:
    worker = sit(2, run=settings(*(f"kind {n}" for n in range(48)), "cannot see"))
    looks = worker.page.locator("#labels b").evaluate_all(
        "all => all.map(e => getComputedStyle(e)).map(s => s.backgroundColor + s.backgroundImage)"
    )
    assert len(looks) == 49
    assert len(set(looks)) == 49


@pytest.mark.parametrize("shape", [(480, 360), (112, 112)])
def test_nothing_jumps(sit: Sit, shape: tuple[int, int]) -> None:
    worker = sit(20, pictures=Pictures(shape))
    worker.press("1", "2", "3", "End", "Enter", "1")
    assert worker.page.evaluate("window.shift ?? 0") <= 0.01


@pytest.mark.parametrize("size", ["S", "L"])
def test_the_size_can_be_chosen(sit: Sit, size: str) -> None:
    worker = sit(40)
    before = worker.picture(1).bounding_box()
    worker.page.locator(f"#sizes [value={size}]").click()
    after = worker.picture(1).bounding_box()
    assert before
    assert after
    assert (after["width"] > before["width"]) == (size == "L")
    assert after["width"] != before["width"]


def test_the_focused_tile_is_never_under_the_bar(sit: Sit) -> None:
    worker = sit(60)
    worker.press("End", *["ArrowUp"] * 30)
    main, tile = worker.page.locator("main").bounding_box(), worker.tile(worker.at).bounding_box()
    assert main
    assert tile
    assert tile["y"] >= main["y"]


@pytest.mark.parametrize(("fill", "text"), [*COLORS, ESCAPE_COLOR])
def test_colors_can_be_read_and_seen(fill: str, text: str) -> None:
    assert contrast(fill, text) >= 4.5
    assert contrast(fill, "#f3f4f6") >= 3


def untouched(worker: Worker) -> None:
    pass


def half_done(worker: Worker) -> None:
    worker.press("1", "2", "3", "4", "1", "u")


def all_done(worker: Worker) -> None:
    worker.press(*"12341234123412341234")


def with_gaps(worker: Worker) -> None:
    worker.press("1", "Enter")


def zoomed(worker: Worker) -> None:
    worker.press("1", "Home", "z")


def with_help(worker: Worker) -> None:
    worker.press("?")


def without_shortcuts(worker: Worker) -> None:
    worker.press("?")
    worker.page.locator("#shortcuts").uncheck()
    worker.press("Escape")


# Axe takes as long as several other tests: not slow are the states that have the others' elements
# together, which are gaps and the sentence about them, the help, suggestions, and many labels.
STATES = [
    with_gaps,
    with_help,
    *(
        pytest.param(state, marks=pytest.mark.slow)
        for state in (untouched, half_done, all_done, zoomed, without_shortcuts)
    ),
]
GUESSES = {"prelabels": ["cat", "dog"] * 9 + ["neither"]}
MANY = {"run": settings(*(f"kind {n}" for n in range(30)))}


def violations(worker: Worker) -> list[str]:
    faults = Axe().run(worker.page).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in faults]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.replace("_", " "))
def test_axe_finds_nothing(sit: Sit, state: Callable[[Worker], None]) -> None:
    worker = sit(20)
    state(worker)
    assert violations(worker) == []


PLACES: dict[str, dict[str, Any]] = {
    "phone with many labels": {"context": PHONE, **MANY},
    "dark with suggestions": {"context": {"color_scheme": "dark"}, **GUESSES},
    "no scripts": {"scripts": False, "wait": False},
}
MORE_PLACES: dict[str, dict[str, Any]] = {
    "suggestions": GUESSES,
    "many labels": MANY,
    "phone": {"context": PHONE},
    "phone with suggestions": {"context": PHONE, **GUESSES},
    "high contrast": {"context": {"forced_colors": "active"}},
    "dark": {"context": {"color_scheme": "dark"}},
}


@pytest.mark.parametrize(
    "task",
    [
        *(pytest.param(task, id=name) for name, task in PLACES.items()),
        *(
            pytest.param(task, id=name, marks=pytest.mark.slow)
            for name, task in MORE_PLACES.items()
        ),
    ],
)
def test_axe_finds_nothing_in_other_places(sit: Sit, task: dict[str, Any]) -> None:
    assert violations(sit(20, **task)) == []


def test_axe_finds_nothing_where_pictures_fail(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(3)
    pictures.refuse(1)
    worker = sit(6, pictures=pictures, wait=False)
    worker.tile(2).get_by_role("button", name="Try again").wait_for()
    assert violations(worker) == []


@pytest.mark.parametrize(
    ("question", "instructions", "direction"),
    [
        ("מה בתמונה?", "סמנו את **החיה**.\n\n- אחת\n- שתיים!", "rtl"),
        ("ماذا في الصورة؟", "انظر إلى الحيوان.", "rtl"),
        ("สัตว์อะไร?", "ดูที่หัว", "ltr"),
        ("Which animal?", "Look at the head.", "ltr"),
    ],
)
def test_what_a_requester_writes_is_set_in_the_direction_of_its_script(
    sit: Sit, question: str, instructions: str, direction: str
) -> None:
    worker = sit(2, run=settings(question=question, instructions=instructions))
    worker.press("?")
    for element in ("h1", "#help [translate] h2", "#help [translate] p"):
        style = worker.page.locator(element).first.evaluate("e => getComputedStyle(e).direction")
        assert style == direction
    for ours in ("#tools", "#help .keys"):
        style = worker.page.locator(ours).evaluate("e => getComputedStyle(e).direction")
        assert style == "ltr"
