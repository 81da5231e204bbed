"""What labeling.json may hold, what a person reads when it cannot be used, and what names a run."""

import json
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scripts.schema import schema_text, settings_table
from tessera.tiling.errors import LabelAttributeIllegal, LabelsMissing, SettingsInvalid
from tessera.tiling.manifest.lines import Image, LineReader
from tessera.tiling.run.jobs import run_id
from tessera.tiling.settings import (
    ALWAYS_IN_NAME,
    Settings,
    name_basis,
    read_settings,
    settings_from,
    warnings,
)

PETS = {"labels": ["cat", "dog"]}
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:pre"
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
        (
            {"order": "spred"},
            'order: "spred" is none of spread, as-given, shuffle, by-prelabel, similar',
        ),
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
        ({"team": "all vets"}, "team"),
        ({"team": ""}, "team"),
        ({"workforce": TEAM, "team": "vets"}, "team: this is for the portal"),
        ({"guesses": {"seed": 0}}, "guesses"),
        ({"guesses": {"least": 2}}, "guesses"),
        ({"guesses": {"share": 0.2}}, "unknown field `share`"),
        ({"near_repeats": 0.9, "repeats": "each"}, "leave one of them out"),
        ({"near_repeats": 0.2}, "near_repeats: 0.2 is below 0.5"),
        ({"guesses": {}, "order": "by-prelabel"}, "shown to workers or weighed"),
        ({"guesses": {}, "method": "majority"}, "guesses: method majority takes no guesses"),
        ({"guesses": {}, "answers_per_image": 1}, "guesses: answers_per_image is 1"),
        ({"audit": {}}, 'audit: this is for "guesses": {"least": 0}'),
        ({"guesses": {}, "audit": {}}, "audit: no image goes unasked"),
        ({"guesses": {"least": 0}, "audit": {"images": 9}}, "audit"),
        ({"shares": {"cats": 0.9}}, "shares: 'cats' is none of the labels; is 'cat' meant?"),
        ({"shares": {"cat": 0.9, "dog": 0.9}}, "shares: they add up to 1.8"),
        ({"shares": {"cat": "most"}}, "shares"),
        ({"shares": "golden"}, "shares"),
        ({"shares": {"cat": 0.9}, "method": "majority"}, "method majority takes no shares"),
        ({"offer_to": "best of 1"}, "offer_to"),
        ({"offer_to": "upper half", "method": "majority"}, "method majority knows no workers"),
        ({"offer_to": "upper half", "workforce": TEAM}, "offer_to: only the portal"),
        ({"offer_first_round": True}, "offer_first_round: before its answers a run knows nobody"),
        ({"weigh_seconds": True, "method": "majority"}, "method majority weighs no answers"),
        ({"ask_slowest": 0.2}, "ask_slowest: images have several answers"),
        ({"ask_slowest": 2, "answers_per_image": 1}, "ask_slowest: 2 is above 1"),
        ({"offer_minutes": 0}, "offer_minutes: 0 is below 1"),
    ],
)
def test_an_error_names_the_key_and_the_way_out(keys: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings(**keys)
    assert message in str(caught.value)


def test_only_the_public_team_is_warned_of() -> None:
    free = ["FreeOfPersonallyIdentifiableInformation"]
    (warning,) = warnings(settings(workforce=PUBLIC, content_classifiers=free))
    assert "closed on 30 September 2026" in warning
    assert "private or a vendor team" in warning
    assert warnings(settings(workforce=TEAM)) == warnings(settings()) == ()


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings(images_per_task=0, gain=2, lables=[])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("raw", [b"{}", b'{"labels": []}', b'{"labels": null}'])
def test_missing_labels_have_an_error_of_their_own(raw: bytes) -> None:
    with pytest.raises(LabelsMissing):
        read_settings(raw)


@pytest.mark.parametrize("key", ["Labels", "label", "LABELS", "labls"])
def test_labels_under_a_key_that_is_nearly_right_are_named(key: str) -> None:
    with pytest.raises(LabelsMissing, match=f"is {key} meant"):
        read_settings(json.dumps({key: ["cat", "dog"]}).encode())


@pytest.mark.parametrize(
    "name",
    [
        "source",
        "source-ref",
        "gold",
        "prelabel",
        "answered-by",
        "page_choices",
        "a-metadata",
        "a-ref",
        "a_b",
        "-a",
        "a-",
        "",
    ],
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


def looks(label: str) -> str:
    """Return what labels that look alike have in common."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())


labels = st.lists(
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=256),
    min_size=2,
    max_size=50,
    unique_by=looks,
)


@pytest.mark.thorough
@given(labels=labels, images=st.integers(1, 100), seed=st.integers(0, 2**53 - 1))
def test_settings_come_back_from_their_own_bytes(labels: list[str], images: int, seed: int) -> None:
    first = settings(labels=labels, images_per_task=images, seed=seed)
    assert read_settings(msgspec.json.encode(first)) == first
    assert read_settings(name_basis(first)) == first


setting_names = st.sampled_from([field.encode_name for field in msgspec.structs.fields(Settings)])
values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(setting_names, values, min_size=1))
def test_no_value_of_any_key_gets_past_as_a_traceback(keys: dict[str, object]) -> None:
    with suppress(SettingsInvalid):
        settings(**keys)


# --- what names a run -----------------------------------------------------------------------------

MAY = {"bucket": "inbox", "key": "pets/may.manifest", "etag": '"9b2cf535f27731c974343645a3985328"'}
UNNAMED: dict[str, Any] = {
    "question": "Is this cat or dog?", "instructions": "", "label_attribute": "label",
    "images_per_task": 20, "order": "spread", "seed": 0, "answers_per_image": 2, "max_answers": 3,
    "gain": 0.05, "method": "hierarchical", "unreadable": None, "gold_per_task": 0,
    "workforce": "portal", "task_minutes": 30, "job_days": 10, "bad_lines": 0.1,
    "repeats": "once", "content_classifiers": [],
}  # fmt: skip
"""Every setting at its default, spelled out: named like a run whose settings name the labels."""

TESTED = {f"qualification/cat/{number}.jpg": "cat" for number in range(5)}
RECORDED: list[tuple[dict[str, Any], str]] = [
    ({}, "pets-may-e632fca8944c"),
    (UNNAMED, "pets-may-e632fca8944c"),
    *(({key: value}, "pets-may-e632fca8944c") for key, value in UNNAMED.items()),
    ({"labels": ["cat", "dog", "invalid image"]}, "pets-may-a317b6b3b70a"),
    ({"question": "Was ist das? 鶴"}, "pets-may-40ebd2a473ab"),
    ({"instructions": "# Look"}, "pets-may-e25dbb47bff5"),
    ({"label_attribute": "pet"}, "pets-may-35f9a994230e"),
    ({"images_per_task": 10}, "pets-may-3512fcd3f8a7"),
    ({"order": "by-prelabel"}, "pets-may-99b757a0898f"),
    ({"near_repeats": 0.95}, "pets-may-d73eea224af5"),
    ({"order": "similar"}, "pets-may-ef21663ddd07"),
    ({"order": "as-given"}, "pets-may-f071224c32c3"),
    ({"order": "shuffle"}, "pets-may-21f8bbb1fbf4"),
    ({"seed": 1}, "pets-may-63cd9e1e5f1c"),
    ({"answers_per_image": 5}, "pets-may-ce9c4e61bc83"),
    ({"max_answers": 5}, "pets-may-aaa8213014d5"),
    ({"gain": 1}, "pets-may-3de8a5efa1e7"),
    ({"gain": 0.3}, "pets-may-259fd7a54064"),
    ({"method": "first"}, "pets-may-5d82c29dabe4"),
    ({"method": "majority"}, "pets-may-e9ff8f1a7e96"),
    ({"method": "dawid-skene"}, "pets-may-6d6e4498230e"),
    ({"unreadable": "dog"}, "pets-may-2e5e609ef708"),
    ({"gold_per_task": 2}, "pets-may-f80945dafac2"),
    ({"workforce": TEAM}, "pets-may-dd64882d5782"),
    ({"task_minutes": 60}, "pets-may-8401646ac8d9"),
    ({"job_days": 1}, "pets-may-be0b22a87636"),
    ({"bad_lines": 0.5}, "pets-may-ed994c62d4d6"),
    ({"repeats": "each"}, "pets-may-cd015877f14d"),
    (
        {
            "workforce": PUBLIC,
            "content_classifiers": [
                "FreeOfPersonallyIdentifiableInformation",
                "FreeOfAdultContent",
            ],
        },
        "pets-may-694ea27f90da",
    ),
    ({"team": "vets"}, "pets-may-a2824818b113"),
    ({"remember_workers": True}, "pets-may-f2610d5e3c75"),
    ({"shares": {"cat": 0.9}}, "pets-may-9a490ad3be54"),
    ({"guesses": {}}, "pets-may-c2684d819668"),
    ({"guesses": {"seed": 0.2, "least": 1}}, "pets-may-c2684d819668"),
    ({"guesses": {"least": 0}}, "pets-may-deecccfa4bbd"),
    ({"guesses": {"least": 0}, "audit": {"images": 200}}, "pets-may-933735d62535"),
    ({"practice": {"practice/cat/1.jpg": "cat"}}, "pets-may-a93fe7620d61"),
    ({"language": "de"}, "pets-may-4a987925a101"),
    ({"workforce": TEAM, "stop_after_pages": 500}, "pets-may-6666448dae25"),
    ({"workforce": TEAM, "stop_after_percent": 50}, "pets-may-d938508d04c2"),
    (
        {"workforce": TEAM, "stop_after_percent": 50, "stop_after_pages": 500},
        "pets-may-b07bde587b0c",
    ),
    ({"embeddings": "s3://inbox/pets/e.npy"}, "pets-may-690afc2142a3"),
    ({"stop_below": {"right": 0.6}, "gold_per_task": 2}, "pets-may-17321448b0dd"),
    ({"qualify": 0.8, "qualification": TESTED}, "pets-may-a3cff2cb139a"),
    ({"page": "0123456789abcdef"}, "pets-may-97cb9adfc49c"),
    ({"offer_to": "upper half"}, "pets-may-565ac6293001"),
    ({"offer_to": "anyone", "offer_minutes": 10}, "pets-may-e632fca8944c"),
    ({"offer_minutes": 60}, "pets-may-8cd648f3f95c"),
    ({"remember_workers": True, "offer_first_round": True}, "pets-may-daf6cb802f34"),
    ({"weigh_seconds": True}, "pets-may-ea0ab3a29eac"),
    ({"answers_per_image": 1, "ask_slowest": 0.2}, "pets-may-4d1cd56b199b"),
    (
        {"task": "custom", "pre_annotation": LAMBDA, "post_annotation": LAMBDA},
        "pets-may-d2995e01ceb3",
    ),
    ({"task": "verify"}, "pets-may-e6f796b734b8"),
    ({"task": "verify", "box_attribute": "found-boxes"}, "pets-may-93dac2f2aef7"),
]
"""Names that runs have had since the first release."""

RULE = (
    "This change renames runs that exist: their manifests, dropped again, would be asked, and paid "
    "for, again. Keep ALWAYS_IN_NAME as it is; let a new setting have a default that leaves runs "
    "as they were without it; and rather than changing a default or a key, add a new setting."
)


@pytest.mark.thorough
@pytest.mark.parametrize(("keys", "name"), RECORDED)
def test_no_change_of_the_settings_renames_a_run_that_exists(
    keys: dict[str, Any], name: str
) -> None:
    assert run_id(MAY, settings(**keys)) == name, RULE


def test_every_setting_has_a_recorded_name() -> None:
    assert {key for keys, _ in RECORDED for key in keys} == set(Settings.__struct_fields__)


class LaterSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a later version: two keys more, and another default of one that was there."""

    ask_twice: bool = False
    border: int = 4
    gain: float = 0.5


keys_set = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 9),
        "gain": st.floats(0, 1),
        "images_per_task": st.integers(1, 100),
        "order": st.sampled_from(["spread", "shuffle"]),
    },
)


@given(keys_set)
def test_a_setting_that_comes_later_renames_no_run_that_does_not_use_it(
    keys: dict[str, Any],
) -> None:
    today = settings(**keys)
    later = msgspec.convert(msgspec.to_builtins(today), LaterSettings)
    assert name_basis(later) == name_basis(today), RULE
    assert name_basis(msgspec.structs.replace(later, border=5)) != name_basis(today)
    assert name_basis(msgspec.structs.replace(later, ask_twice=True)) != name_basis(today)


@given(keys_set)
def test_what_a_run_wrote_down_of_its_settings_holds_when_a_default_changes(
    keys: dict[str, Any],
) -> None:
    """Later rounds and consolidation read the settings in run.json, where every default stands."""
    today = settings(**keys)
    written = msgspec.to_builtins(today)
    assert settings_from(written) == today
    assert msgspec.convert(written, LaterSettings).gain == today.gain
    assert set(ALWAYS_IN_NAME) <= set(written)


def test_a_setting_that_is_not_given_leaves_no_key_where_settings_are_written() -> None:
    assert not any(key.startswith("stop_after") for key in msgspec.to_builtins(settings()))
    stopping = settings(workforce=TEAM, stop_after_percent=50)
    assert msgspec.to_builtins(stopping)["stop_after_percent"] == 50


# --- the published schema -------------------------------------------------------------------------

SCHEMA = Path(__file__).parents[2] / "docs/labeling.schema.json"
CHECK = Draft202012Validator(json.loads(schema_text()))


def test_the_published_schema_is_made_of_the_settings() -> None:
    assert SCHEMA.read_text("utf-8") == schema_text(), "python -m scripts.schema writes it anew"
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_the_documentation_has_the_table_of_the_settings() -> None:
    page = (SCHEMA.parent / "manifests.md").read_text("utf-8")
    assert settings_table() in page, "run: cog -r docs/manifests.md"
    assert all(f"| `{name}` |" in settings_table() for name in Settings.__struct_fields__)


@given(labels=labels, images=st.integers(1, 100), gain=st.floats(0, 1))
def test_the_schema_takes_what_the_settings_take(
    labels: list[str], images: int, gain: float
) -> None:
    chosen = settings(labels=labels, images_per_task=images, gain=gain)
    assert CHECK.is_valid(json.loads(msgspec.json.encode(chosen)))
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


@pytest.mark.parametrize(
    "label", ["می\u200cخواهم", "क्\u200dष", "全角\u3000空白", "a\u00a0b", "\u200fאב"]
)
def test_joiners_and_wide_spaces_are_part_of_a_label(label: str) -> None:
    assert settings(labels=[label, "other"]).labels == (label, "other")


@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\u2028", "\u202e", "\u200b", "\ufeff"])
def test_a_label_with_a_character_that_cannot_be_shown_is_refused(character: str) -> None:
    with pytest.raises(SettingsInvalid, match="characters that cannot be shown"):
        settings(labels=[f"ca{character}t", "dog"])


@pytest.mark.parametrize(
    ("label", "other"),
    [
        ("cat", "Cat"),
        ("straße", "STRASSE"),
        ("cat", "ｃａｔ"),
        ("ﬁsh", "fish"),
        ("cat", "\u0441\u0430t"),
        ("CAT", "\u0421\u0410\u0422"),
        ("آب", "آ\u200cب"),
    ],
)
def test_labels_that_look_alike_are_refused(label: str, other: str) -> None:
    with pytest.raises(SettingsInvalid, match="look alike"):
        settings(labels=[label, other])


@given(label=st.text(st.characters(categories=["L", "M"]), min_size=1, max_size=8))
def test_a_label_is_the_same_however_its_characters_are_spelled(label: str) -> None:
    composed = unicodedata.normalize("NFC", label)
    assert settings(labels=[label, "7"]).labels == (composed, "7")
    spelled_apart = unicodedata.normalize("NFD", label)
    line = {"source-ref": "s3://pets/1.jpg", "gold": spelled_apart, "prelabel": spelled_apart}
    read = LineReader(settings(labels=[label, "7"])).read(0, msgspec.json.encode(line))
    assert isinstance(read, Image)
    assert read.gold == read.prelabel == composed
