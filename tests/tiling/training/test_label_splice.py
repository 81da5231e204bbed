"""A label's members are spliced into a line and nothing else about the line changes."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.training.label_splice import (
    GOLD_SUPPORT,
    SCALE,
    LabelSplice,
    LineOpener,
    creation_date,
    encode_support,
    to_steps,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def spliced(label: int, confidence: float, agreement: float, answers: int) -> dict[str, Any]:
    """The members that a splice adds to an empty line."""
    splice = LabelSplice("pet", [(0, "cat"), (2, 'a "dog"')], run="pets", created="2026-11-23")
    steps = to_steps(np.array([agreement], np.float32))
    support = encode_support(steps, np.array([answers], np.uint16))
    pieces = splice.pieces(np.array([label]), to_steps(np.array([confidence], np.float32)), support)
    text = b"".join(piece for (piece,) in pieces)
    members: dict[str, Any] = msgspec.json.decode(b'{"":0' + text)
    return members


def test_a_splice_says_what_augmented_manifests_say() -> None:
    assert spliced(1, 0.93, 0.75, 4) == {
        "": 0,
        "pet": 2,
        "pet-metadata": {
            "class-name": 'a "dog"',
            "confidence": 0.93,
            "type": "groundtruth/image-classification",
            "job-name": "labeling-job/pets",
            "human-annotated": "yes",
            "creation-date": "2026-11-23",
            "answers": 4,
            "agreement": 0.75,
        },
    }


def test_a_known_label_says_so_and_rests_on_no_answers() -> None:
    splice = LabelSplice("pet", [(0, "cat")], run="pets", created="2026-11-23")
    pieces = splice.pieces(*np.array([[0], [SCALE], [GOLD_SUPPORT]]))
    line = msgspec.json.decode(b'{"":0' + b"".join(piece for (piece,) in pieces))
    metadata = line["pet-metadata"]
    assert (metadata["confidence"], metadata["gold"]) == (1.0, True)
    assert not metadata.keys() & {"answers", "agreement"}


@given(
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32),
    st.integers(0, 65_535),
)
def test_shares_are_written_to_four_decimals_and_answers_as_they_are(
    confidence: float, agreement: float, answers: int
) -> None:
    metadata = spliced(0, confidence, agreement, answers)["pet-metadata"]
    assert metadata["confidence"] == pytest.approx(confidence, abs=0.00005001)
    assert metadata["agreement"] == pytest.approx(agreement, abs=0.00005001)
    assert metadata["answers"] == answers


@given(st.dictionaries(st.text(), values, min_size=1))
def test_an_opened_line_has_all_members_but_the_splice_s(members: dict[str, Any]) -> None:
    line = msgspec.json.encode({"source-ref": "s3://b/1.jpg"} | members | {"pet": 1})
    opened = LineOpener("pet").open(line)
    kept = {"source-ref": "s3://b/1.jpg"} | members
    kept.pop("pet", None)
    kept.pop("pet-metadata", None)
    assert msgspec.json.decode(opened + b"}") == kept


@pytest.mark.parametrize(
    "line", [b'{"source-ref":"s3://b/1.jpg"}', b'{ "a":1.0e5, "petting" : "\\u00e9" }']
)
def test_a_line_without_the_splice_s_keys_keeps_its_bytes(line: bytes) -> None:
    opener = LineOpener("pet")
    assert opener.is_open_without_brace(line)
    assert opener.open(line + b" \t") == line[:-1].rstrip()


@pytest.mark.parametrize("started", ["2026-11-23T01:51:01Z", "2026-11-23T01:51:01+00:00"])
def test_the_creation_date_is_the_run_s_start_in_utc(started: str) -> None:
    assert creation_date(started) == "2026-11-23T01:51:01"
