"""What is put into the inbox is a picture, starts a run, or is answered for: one of the three."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.services import eventbridge

from tessera.picture_types import TYPES
from tessera.tiling.page.page_copy import SHOWN_LARGE
from tessera.tiling.picture_keys import picture_uri, pictures_of
from tessera.tiling.run.inbox import (
    EMBEDDINGS,
    MANIFESTS,
    PICTURES,
    IgnoredObject,
    answer_for,
    answer_object,
    is_manifest,
    record_name,
)
from tests.fakes import Files
from tests.test_template import RESOURCES

STARTS = RESOURCES["LabelingStateMachine"]["Properties"]["Events"]["ManifestDropped"]
ANSWERS = RESOURCES["GroupImagesFunction"]["Properties"]["Events"]["ObjectIgnored"]


def matches(rule: dict[str, Any], key: str) -> bool:
    """Whether the embedded EventBridge would hand the event of a key to the rule's target."""
    pattern = rule["Properties"]["Pattern"]["detail"]["object"]
    return bool(eventbridge._matches_detail({"key": key}, pattern))


suffixes = st.sampled_from(
    [*MANIFESTS, *PICTURES, EMBEDDINGS, ".npy", ".gz", ".json", ".xml", ".csv", ".tif", "", "/"]
)
cases = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])


@given(st.text(max_size=8), suffixes, cases)
def test_every_key_starts_a_run_or_is_a_picture_or_is_answered_for(
    stem: str, suffix: str, spell: Any
) -> None:
    key = f"pets/{stem}{spell(suffix)}"
    answer = answer_for("inbox", key, "")
    picture = key.lower().endswith((*PICTURES, EMBEDDINGS))

    assert matches(STARTS, key) == is_manifest(key)
    assert is_manifest(key) + picture + (answer is not None) + key.endswith("/") == 1
    # The rule may call for a picture or a manifest that is spelled oddly, never not for an answer.
    assert answer is None or matches(ANSWERS, key)
    assert not (key.endswith(PICTURES) and matches(ANSWERS, key))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("pets/labeling.json", "Drop a manifest into the same folder"),
        ("labeling.json", "settings alone"),
        ("pets/may.json", "jq -c"),
        ("pets/may.csv", "tessera manifest"),
        ("pets/may.zip", "tessera drop FOLDER"),
        ("pets/may.TIFF", "JPEG"),
        ("pets/may.npy", "FILE.embeddings.npy"),
        ("pets/may.gz", "manifest.gz"),
        ("pets/may.manifest.txt", "tessera manifest"),
        ("pets/may.manifest.bak", "Rename it"),
        ("pets/manifest", "Rename it"),
        ("pets/README", "neither a manifest nor a picture"),
    ],
)
def test_an_answer_says_what_to_do(key: str, words: str) -> None:
    answer = answer_for("inbox", key, "2026-11-25T12:00:00Z")

    assert answer is not None
    assert words in f"{answer.why}. {answer.do}"


def test_the_pictures_are_those_that_browsers_show() -> None:
    in_browsers = {
        f".{suffix}"
        for kind in TYPES
        if kind.in_browsers
        for suffix in (kind.suffix, *kind.spellings)
    }

    assert set(PICTURES) == in_browsers
    assert {f".{suffix}" for suffix in SHOWN_LARGE} <= in_browsers


def test_a_picture_that_browsers_do_not_show_is_answered_so_whatever_its_spelling() -> None:
    hidden = [kind for kind in TYPES if not kind.in_browsers]
    for suffix in (suffix for kind in hidden for suffix in (kind.suffix, *kind.spellings)):
        answer = answer_for("inbox", f"pets/1.{suffix}", "")
        assert answer is not None
        assert answer.why == "browsers do not show it as a picture"


@given(st.sampled_from(["tif", "HEIC", "svg", "json", ""]), st.sampled_from(["pets", "a/b"]))
def test_what_a_drop_uploads_itself_needs_no_answer(suffix: str, project: str) -> None:
    uploaded = picture_uri(pictures_of("s3://inbox", project), "0f" * 16, f"may/scan 1.{suffix}")
    key = uploaded.removeprefix("s3://inbox/")
    assert answer_for("inbox", key, "") is None
    assert answer_for("inbox", key.replace("0f" * 16, "2026"), "") is not None


def test_the_record_of_an_object_is_beside_the_runs_and_is_what_was_answered() -> None:
    files = Files()
    event = {
        "time": "2026-11-25T12:00:00Z",
        "detail": {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.json"}},
    }
    result = answer_object(files, "s3://labels/runs/", event)
    answer = msgspec.json.decode(files.objects[result["record"]], type=IgnoredObject)

    assert result["record"].startswith("s3://labels/runs/inbox/")
    assert answer == answer_for("inbox", "pets/may.json", "2026-11-25T12:00:00Z")


def test_an_odd_spelling_of_a_picture_is_no_news() -> None:
    files = Files()
    event = {"detail": {"bucket": {"name": "inbox"}, "object": {"key": "pets/Tom.Jpg"}}}

    assert answer_object(files, "s3://labels/runs/", event) == {"outcome": "no-answer-needed"}
    assert not files.objects


def test_a_folder_of_files_of_one_kind_is_one_record() -> None:
    keys = {record_name(f"s3://inbox/pets/{number}.xml") for number in range(100)}

    assert len(keys) == 1
    assert keys != {record_name("s3://inbox/zoo/1.xml")}
    assert record_name("s3://inbox/pets/a.json") != record_name("s3://inbox/pets/labeling.json")
    assert re.fullmatch(r"inbox/[0-9a-f]{32}\.json", keys.pop())
