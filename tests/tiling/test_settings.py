"""What labeling.json may say, and what a person is told when it cannot be used."""

import json
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scripts.schema import schema_text
from tessera.tiling.errors import LabelAttributeIllegal, LabelsMissing, SettingsInvalid
from tessera.tiling.settings import Settings, read_settings, warnings, write_settings

PETS = {"labels": ["cat", "dog"]}
TEAM = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/pets"
PUBLIC = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"


def settings(**keys: object) -> Settings:
    return read_settings(msgspec.json.encode(PETS | keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"images_per_task": 0}, "images_per_task: 0 is below 1"),
        ({"images_per_task": 101}, "images_per_task: 101 is above 100"),
        ({"images_per_task": "20"}, 'images_per_task: "20" is not a whole number'),
        ({"images_per_task": True}, "images_per_task: true is not a whole number"),
        ({"lables": ["cat"]}, "lables: unknown key, did you mean labels?"),
        ({"zebra": 1}, "zebra: unknown key"),
        ({"order": "spred"}, 'order: "spred" is none of spread, as-given, shuffle, by-prelabel'),
        ({"labels": ["cat"]}, 'labels: ["cat"] is fewer than the 2 needed'),
        ({"labels": ["cat", "cat"]}, "labels: 'cat' is there more than once"),
        ({"labels": ["cat", "dog "]}, "labels: 'dog ' has spaces around it"),
        ({"labels": [f"c{i}" for i in range(51)]}, "labels: 51 is more than 50 allowed"),
        ({"gold_per_task": 20}, "gold_per_task: 20 leaves no room on a page of 20"),
        ({"answers_per_image": 4, "max_answers": 3}, "max_answers: 3 is below answers_per_image"),
        ({"workforce": "mturk"}, "workforce: 'mturk' is neither portal nor the ARN of a work team"),
        ({"workforce": TEAM, "stop_after_pages": 0}, "stop_after_pages: 0 is below 1"),
        ({"workforce": TEAM, "stop_after_percent": 101}, "stop_after_percent: 101 is above 100"),
        ({"workforce": TEAM, "stop_after_pages": 1.5}, "stop_after_pages: 1.5 is not a whole"),
        ({"stop_after_pages": 9}, "stop_after_pages: the portal stops no job by itself"),
        ({"stop_after_percent": 9}, "end a run with: tessera stop RUN"),
    ],
)
def test_what_is_wrong_is_said_with_the_key_and_the_way_out(
    keys: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings(**keys)
    assert message in str(caught.value)


def test_only_the_public_team_is_warned_of() -> None:
    free = ["FreeOfPersonallyIdentifiableInformation"]
    (said,) = warnings(settings(workforce=PUBLIC, content_classifiers=free))
    assert "closed on 30 September 2026" in said
    assert "private or a vendor team" in said
    assert warnings(settings(workforce=TEAM)) == warnings(settings()) == ()


def test_a_setting_that_is_not_said_leaves_no_trace_in_what_names_a_run() -> None:
    assert b"stop_after" not in write_settings(settings())
    stopping = settings(workforce=TEAM, stop_after_percent=50)
    assert b'"stop_after_percent":50' in write_settings(stopping)
    assert read_settings(write_settings(stopping)) == stopping


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings(images_per_task=0, gain=2, lables=[])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("raw", [b"{}", b'{"labels": []}', b'{"labels": null}'])
def test_missing_labels_have_an_error_of_their_own(raw: bytes) -> None:
    with pytest.raises(LabelsMissing):
        read_settings(raw)


@pytest.mark.parametrize(
    "name",
    ["source", "source-ref", "gold", "prelabel", "a-metadata", "a-ref", "a_b", "-a", "a-", ""],
)
def test_a_label_attribute_that_no_job_may_write_has_an_error_of_its_own(name: str) -> None:
    with pytest.raises(LabelAttributeIllegal):
        settings(label_attribute=name)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe{", b"7", b"[" * 100_000])
def test_what_is_no_json_object_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(SettingsInvalid):
        read_settings(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"document-version": "2018-11-28", "labels": [{"label": "cat"}, {"label": "dog"}]}',
        b'{"labels": {"document-version": "1", "labels": [{"label": "cat"}, {"label": "dog"}]}}',
    ],
)
def test_a_label_category_file_is_taken_where_labels_are(raw: bytes) -> None:
    assert read_settings(raw).labels == ("cat", "dog")


def test_the_escape_is_the_setting_or_a_label_known_for_it_or_built_in() -> None:
    assert settings().escape == "cannot see"
    assert settings().choices == ("cat", "dog", "cannot see")
    assert settings(labels=["cat", "invalid image", "dog"]).escape == "invalid image"
    assert settings(labels=["cat", "invalid image", "dog"]).classes == ("cat", "dog")
    assert settings(unreadable="broken").choices == ("cat", "dog", "broken")
    assert settings(unreadable="dog").choices == ("cat", "dog")


labels = st.lists(
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=256),
    min_size=2,
    max_size=50,
    unique=True,
)


@given(labels=labels, images=st.integers(1, 100), seed=st.integers(0, 2**53 - 1))
def test_settings_come_back_from_their_own_bytes(labels: list[str], images: int, seed: int) -> None:
    first = settings(labels=labels, images_per_task=images, seed=seed)
    assert read_settings(write_settings(first)) == first
    assert write_settings(read_settings(write_settings(first))) == write_settings(first)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_any_key_gets_past_as_a_traceback(value: object) -> None:
    for field in msgspec.structs.fields(Settings):
        with suppress(SettingsInvalid):
            settings(**{field.encode_name: value})


SCHEMA = Path(__file__).parents[2] / "docs/labeling.schema.json"
CHECK = Draft202012Validator(json.loads(schema_text()))


def test_the_published_schema_is_what_the_settings_are() -> None:
    assert SCHEMA.read_text("utf-8") == schema_text(), "python -m scripts.schema writes it anew"
    Draft202012Validator.check_schema(json.loads(schema_text()))


@given(labels=labels, images=st.integers(1, 100), gain=st.floats(0, 1))
def test_the_schema_takes_what_the_settings_take(
    labels: list[str], images: int, gain: float
) -> None:
    chosen = settings(labels=labels, images_per_task=images, gain=gain)
    assert CHECK.is_valid(json.loads(write_settings(chosen)))
    assert CHECK.is_valid({"labels": labels})
    assert CHECK.is_valid({"labels": [{"label": label} for label in labels]})
    assert CHECK.is_valid({"$schema": "x", "labels": {"labels": labels}})


@pytest.mark.parametrize(
    "keys",
    [
        {"images_per_task": 0},
        {"lables": []},
        {"order": "spred"},
        {"labels": ["cat"]},
        {"labels": ["cat", "cat"]},
        {"label_attribute": "a_b"},
        {"workforce": "mturk"},
        {"workforce": TEAM, "stop_after_percent": 0},
        {"seed": -1},
    ],
)
def test_the_schema_refuses_what_the_settings_refuse(keys: dict[str, object]) -> None:
    assert not CHECK.is_valid(PETS | keys)
    with pytest.raises(SettingsInvalid):
        settings(**keys)
