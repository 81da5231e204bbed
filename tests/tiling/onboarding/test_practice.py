"""Pictures to practice on: taken from the folder or the settings, and refused with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.onboarding.practice import decode_practice, encode_practice, with_practice
from tessera.tiling.settings import MOST_PRACTICE, Settings, name_basis, settings_from
from tests.fakes import Files

FOLDER = "s3://inbox/pets/"


def settings(**keys: Any) -> Settings:
    """Make the settings of cats and dogs with these keys."""
    return settings_from({"labels": ["cat", "dog"]} | keys)


def inbox(*names: str) -> Files:
    """Make a folder of the inbox with these files."""
    files = Files()
    for name in names:
        files.put(FOLDER + name, b"x")
    return files


def test_the_folder_of_a_label_names_the_label_of_its_pictures() -> None:
    files = inbox("practice/dog/b/2.jpg", "practice/cat/1.PNG", "practice/notes.txt", "tom.jpg")
    taken = with_practice(settings(), files, FOLDER)
    assert taken.practice == {"practice/cat/1.PNG": "cat", "practice/dog/b/2.jpg": "dog"}


def test_without_the_folder_the_settings_and_the_runs_name_stay() -> None:
    plain = settings()
    assert with_practice(plain, inbox("tom.jpg"), FOLDER) is plain
    assert b"practice" not in name_basis(plain)


def test_what_the_settings_name_wins_over_the_folder() -> None:
    own = settings(practice={"known/1.jpg": "cat"})
    assert with_practice(own, inbox("practice/dog/1.jpg"), FOLDER) is own


REFUSED = [
    (["practice/kat/1.jpg"], {}, "none of the labels; did you mean 'cat'?"),
    (["practice/1.jpg"], {}, "lies in no label's folder; move it to practice/LABEL/1.jpg"),
    ([f"practice/cat/{n}.jpg" for n in range(21)], {}, f"21 is more than {MOST_PRACTICE} allowed"),
    (
        ["practice/cat/1.jpg"],
        {"workforce": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/vets"},
        "the portal alone shows a practice page",
    ),
]


@pytest.mark.parametrize(("names", "keys", "reason"), REFUSED)
def test_a_folder_that_cannot_be_used_is_refused_at_the_door(
    names: list[str], keys: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        with_practice(settings(**keys), inbox(*names), FOLDER)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "picture", ["/1.jpg", "../cars/1.jpg", "a/../../1.jpg", "s3://b/1.jpg", "https://x/1.jpg", ".."]
)
def test_settings_name_no_picture_outside_the_folder(picture: str) -> None:
    with pytest.raises(SettingsInvalid, match="no place beside the manifest"):
        settings(practice={picture: "cat"})


@pytest.mark.parametrize("practice", [{}, [], "cat", {"a.jpg": 1}, {"a.jpg": None}])
def test_what_is_no_map_from_pictures_to_labels_is_refused(practice: Any) -> None:
    with pytest.raises(SettingsInvalid, match="practice"):
        settings(practice=practice)


pictures = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.jpg", fullmatch=True),
    st.sampled_from(["cat", "dog", "cannot see"]),
    min_size=1,
    max_size=MOST_PRACTICE,
)


@pytest.mark.thorough
@given(pictures)
def test_the_order_of_a_page_tells_nothing_and_names_no_other_run(practice: dict[str, str]) -> None:
    backwards = dict(reversed(practice.items()))
    one, other = settings(practice=practice), settings(practice=backwards)
    assert name_basis(one) == name_basis(other)
    assert encode_practice(one, FOLDER) == encode_practice(other, FOLDER)
    decoded = decode_practice(encode_practice(one, FOLDER))
    assert {each["source-ref"]: each["label"] for each in decoded} == {
        FOLDER + name: label for name, label in practice.items()
    }
    assert json.loads(name_basis(one))["practice"] == practice
