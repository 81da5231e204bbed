"""Reviews: who may decide pictures of a run, what counts, and what is never lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.leases import block_worker
from tessera.portal.reviews import (
    CrowdAnswer,
    Picture,
    Review,
    close_review,
    decisions_folder,
    open_review,
    read_latest,
)
from tests.portal.world import World

HOME = "s3://labels/runs/pets-1/"
REVIEWER = "[reviewers]"


def review(team: str = "", run: str = "pets-1", images: int = 4) -> Review:
    """A review of some pictures that two workers disagree on."""
    answers = (CrowdAnswer("ann@example.org", "cat"), CrowdAnswer("ben@example.org", "dog"))
    pictures = tuple(
        Picture(
            index=index, source=f"s3://pets/{index}.jpg", label="cat", confidence=0.5,
            answers=answers,
        )
        for index in range(images)
    )  # fmt: skip
    return Review(
        run=run, home=f"s3://labels/runs/{run}/", title="Cat or dog?", question="Cat or dog?",
        choices=("cat", "dog", "cannot see"), team=team, project="pets", pictures=pictures,
    )  # fmt: skip


@pytest.fixture
def opened(world: World) -> World:
    """A portal with an open review."""
    open_review(world.ports, review())
    return world


def put(world: World, index: int, label: Any, reviewer: str = "rita") -> tuple[int, Any]:
    """What the portal says to a decision."""
    path = f"/reviews/pets-1/images/{index}"
    return world.ask("PUT", path, reviewer, {"label": label}, REVIEWER)


def test_a_reviewer_sees_the_crowds_answers_and_decides(opened: World) -> None:
    _, listed = opened.ask("GET", "/reviews", "rita", groups=REVIEWER)
    assert listed == {
        "reviews": [{"run": "pets-1", "title": "Cat or dog?", "project": "pets", "images": 4}]
    }
    _, content = opened.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert content["keys"] == ["1", "2", "3"]
    assert content["images"][0]["answers"][1] == {"worker": "ben@example.org", "label": "dog"}
    assert put(opened, 2, "dog")[0] == 200
    _, content = opened.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert [image.get("decision") for image in content["images"]] == [None, None, "dog", None]


def test_the_page_of_a_review_names_no_address_and_needs_nothing_from_elsewhere(
    opened: World,
) -> None:
    _, content = opened.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert all("source" not in image for image in content["images"])
    assert "src=" not in content["page"]
    assert "--text-m: 1rem" in content["page"]
    body = {"images": [1, 99]}
    _, signed = opened.ask("POST", "/reviews/pets-1/addresses", "rita", body, REVIEWER)
    assert signed["addresses"].keys() == {"1"}


decisions = st.tuples(st.integers(0, 3), st.sampled_from(["cat", "dog", "cannot see", None]))


def test_a_reviewer_who_decides_twice_at_once_has_both_kept_and_the_second_counts(
    opened: World,
) -> None:
    for label in ("cat", "dog", "cat", "dog"):
        assert put(opened, 1, label)[0] == 200
    latest = read_latest(opened.files, HOME, review()).decisions
    assert latest[1].label == "dog"
    assert len(list(opened.files.list_uris(decisions_folder(HOME)))) == 4


@given(st.lists(st.tuples(decisions, st.sampled_from(["rita", "rolf"])), max_size=8))
def test_the_last_decision_of_a_picture_counts_and_every_one_is_kept(
    made: list[tuple[tuple[int, str | None], str]],
) -> None:
    world = World()
    open_review(world.ports, review())
    last: dict[int, tuple[str | None, str]] = {}
    for (index, label), reviewer in made:
        world.clock.wait(1)
        assert put(world, index, label, reviewer)[0] == 200
        last[index] = label, reviewer
    latest = read_latest(world.files, HOME, review()).decisions
    assert {index: (one.label, one.by) for index, one in latest.items()} == {
        index: entry for index, entry in last.items() if entry[0] is not None
    }
    assert len(list(world.files.list_uris(decisions_folder(HOME)))) == len(made)


SEVERAL = ("cat", "dog", "cow")
GARBLED_SET = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([
        b"", b"{", b"null", b'{"label": "cat", "by": "", "name": "", "at": ""}',
        b'{"label": {"bird": true}, "by": "", "name": "", "at": ""}',
        b'{"label": {"cat": 1}, "by": "", "name": "", "at": ""}',
    ]),
)  # fmt: skip


def sets_review() -> Review:
    """A review of pictures of several labels."""
    answers = (CrowdAnswer("ann@example.org", {"cat": True, "dog": False, "cow": False}),)
    pictures = tuple(
        Picture(index=index, source=f"s3://pets/{index}.jpg", confidence=0.5, answers=answers,
                label={"cat": True, "dog": False, "cow": False})
        for index in range(4)
    )  # fmt: skip
    return Review(
        run="pets-1", home=HOME, title="What is here?", question="What is here?", task="multi",
        choices=(*SEVERAL, "cannot see"), escape="cannot see", pictures=pictures,
    )  # fmt: skip


yes_or_no = st.sampled_from([True, False, None])
changes = st.one_of(
    st.dictionaries(st.sampled_from(SEVERAL), yes_or_no, min_size=1),
    st.sampled_from(
        [{"cannot see": True}, {"cannot see": None}, {"cannot see": None, "cat": True}]
    ),
)


@given(st.lists(st.tuples(st.integers(0, 1), changes), max_size=8), st.data())
def test_of_several_labels_the_last_word_on_each_counts_whoever_else_decides_others(
    made: list[tuple[int, Any]], data: st.DataObject
) -> None:
    world, last = World(), dict[int, dict[str, bool]]()
    open_review(world.ports, sets_review())
    for index, change in made:
        world.clock.wait(1)
        assert put(world, index, change, data.draw(st.sampled_from(["rita", "rolf"])))[0] == 200
        labels = last.setdefault(index, {})
        if any(value is not None for value in change.values()):
            for name in SEVERAL if change.get("cannot see") else ():
                labels.pop(name, None)
            labels.pop("cannot see", None)
        for name, value in change.items():
            labels.pop(name, None)
            labels.update({} if value is None else {name: value})
    latest = read_latest(world.files, HOME, sets_review()).decisions
    expected = {index: labels for index, labels in last.items() if labels}
    assert {index: one.label for index, one in latest.items()} == expected
    _, content = world.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    on_page = {image["index"]: image.get("decision") for image in content["images"]}
    assert on_page == {index: expected.get(index) for index in range(4)}


@pytest.mark.parametrize(
    "change",
    [
        "cat", {}, {"bird": True}, {"cat": 1}, {"cannot see": False}, ["cat"],
        {"cannot see": True, "cat": True}, {"cannot see": True, "cat": False},
    ],
)  # fmt: skip
def test_what_can_be_no_decision_of_several_labels_is_refused_and_not_kept(
    world: World, change: Any
) -> None:
    open_review(world.ports, sets_review())
    path = "/reviews/pets-1/images/1"
    assert world.ask("PUT", path, "rita", {"label": change}, REVIEWER)[0] == 400
    assert read_latest(world.files, HOME, sets_review()).decisions == {}


def test_a_decision_of_several_labels_is_none_where_a_picture_has_one(opened: World) -> None:
    assert put(opened, 1, {"cat": True})[0] == 400


@given(GARBLED_SET)
def test_a_garbled_decision_of_several_labels_undoes_those_before_it_alone(content: bytes) -> None:
    world = World()
    open_review(world.ports, sets_review())
    assert put(world, 1, {"cat": False})[0] == 200
    assert put(world, 2, {"cat": False})[0] == 200
    broken = f"{decisions_folder(HOME)}1/001700000000500-rita.json"
    world.files.put(broken, content)
    world.clock.wait(1)
    assert put(world, 1, {"dog": True})[0] == 200
    latest = read_latest(world.files, HOME, sets_review())
    assert latest.broken == (broken,)
    assert {index: one.label for index, one in latest.decisions.items()} == {
        1: {"dog": True}, 2: {"cat": False},
    }  # fmt: skip


GOOD = (
    b'{"label": "dog", "by": "rita", "name": "rita@example.org", "at": "2026-11-26T04:00:00.000"}'
)
GARBLED = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([
        b"", b"{", b"[]", b"null", b'"cat"', b"\xff\xfe", b'{"label": "bird"}', b"[" * 100_000,
        GOOD[:-1], GOOD.replace(b'"dog"', b'"bird"'), GOOD.replace(b'"dog"', b"7"),
        GOOD.replace(b'"dog"', b'"\xff"'), GOOD.replace(b'"dog"', b'["dog"]'),
    ]),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        ["9", "x", "-1", "1e3", "٣", "1/2/3", "", "1.json", "9999999999", "0x1", "../1"]
    ),
    st.text("0123456789abc/-. é", max_size=6),
)


@given(
    garbled=st.dictionaries(st.integers(0, 3), GARBLED, max_size=3),
    strangers=st.dictionaries(NAMES, st.one_of(GARBLED, st.just(GOOD)), max_size=3),
)
def test_a_garbled_file_among_the_decisions_hurts_its_own_picture_alone_and_is_named(
    garbled: dict[int, bytes], strangers: dict[str, bytes]
) -> None:
    world = World()
    open_review(world.ports, review())
    for index in range(4):
        assert put(world, index, "dog")[0] == 200
    folder, lines = decisions_folder(HOME), 4
    broken = {f"{folder}{index}/999999999999999-rita.json" for index in garbled}
    for index, content in garbled.items():
        world.files.put(f"{folder}{index}/999999999999999-rita.json", content)
    for name, content in strangers.items():  # of pictures that the run does not have
        if not any(f"{name}/".startswith(f"{index}/") for index in range(4)):
            world.files.put(f"{folder}{name}/1-rita.json", content)
            head = name.partition("/")[0]
            if not (head.isascii() and head.isdigit() and int(head) < lines):
                broken.add(f"{folder}{name}/1-rita.json")
    latest = read_latest(world.files, HOME, review(), lines)
    assert latest.decisions.keys() == {0, 1, 2, 3} - garbled.keys()
    assert set(latest.broken) == broken
    status, content = world.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert status == 200
    decided = {image["index"] for image in content["images"] if "decision" in image}
    assert decided == latest.decisions.keys()


@given(pictures=GARBLED)
def test_a_garbled_review_is_told_with_what_to_do_and_hurts_no_other(pictures: bytes) -> None:
    world = World()
    for run in ("pets-1", "pets-2"):
        open_review(world.ports, review(run=run))
    world.files.put(f"{HOME}review/pictures.json", pictures)
    status, content = world.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert (status, "tessera review" in content["message"]) == (422, True)
    assert put(world, 1, "cat")[0] == 422
    assert world.ask("GET", "/reviews/pets-2", "rita", groups=REVIEWER)[0] == 200


def test_decisions_survive_a_second_review_and_its_end(opened: World) -> None:
    put(opened, 2, "dog")
    close_review(opened.ports, "pets-1")
    assert put(opened, 2, "cat")[0] == 404
    open_review(opened.ports, review(images=3))
    _, content = opened.ask("GET", "/reviews/pets-1", "rita", groups=REVIEWER)
    assert content["images"][2]["decision"] == "dog"


@pytest.mark.parametrize(
    ("index", "body", "status"),
    [
        (99, {"label": "cat"}, 404),
        (1, {"label": "bird"}, 400),
        (1, {"label": 3}, 400),
        (1, {}, 400),
        (1, "?", 400),
        ("x", {"label": "cat"}, 404),
    ],
)
def test_a_decision_that_can_be_none_is_refused_and_not_kept(
    opened: World, index: int | str, body: Any, status: int
) -> None:
    path = f"/reviews/pets-1/images/{index}"
    assert opened.ask("PUT", path, "rita", body, REVIEWER)[0] == status
    assert read_latest(opened.files, HOME, review()).decisions == {}


ASKED: list[tuple[str, str, Any]] = [
    ("GET", "/reviews/pets-1", None),
    ("POST", "/reviews/pets-1/addresses", {"images": [0]}),
    ("PUT", "/reviews/pets-1/images/0", {"label": "cat"}),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
@pytest.mark.parametrize(
    ("groups", "status"),
    [
        ("[]", 404),
        ("[vets]", 404),  # of the team, and no reviewer
        ("[reviewers]", 404),
        ("[reviewers cats]", 404),
        ("[reviewers vets]", 200),
        ("[requesters]", 200),
    ],
)
def test_reviewers_see_results_of_their_team_alone(
    world: World, method: str, path: str, body: Any, groups: str, status: int
) -> None:
    open_review(world.ports, review(team="vets"))
    assert world.ask(method, path, "rita", body, groups)[0] == status
    _, listed = world.ask("GET", "/reviews", "rita", groups=groups)
    assert len(listed.get("reviews", [])) == (status == 200)


def test_a_removed_reviewer_sees_and_decides_nothing(opened: World) -> None:
    block_worker(opened.ports, "rita")
    assert put(opened, 1, "cat")[0] == 403
    assert opened.ask("GET", "/reviews", "rita", groups=REVIEWER)[0] == 403
