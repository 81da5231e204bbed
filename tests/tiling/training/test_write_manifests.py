"""Every line of a manifest is written to one place, in its own bytes, however it was read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Consensus
from tessera.tiling.settings import settings_from
from tessera.tiling.training import write_manifests as module
from tessera.tiling.training.label_splice import LabelSplice
from tessera.tiling.training.line_counts import LineOutcomes
from tessera.tiling.training.write_manifests import (
    LineFacts,
    LineFlag,
    LineLabels,
    label_lines,
    write_manifests,
)
from tests.tiling.folder import Folder

SETTINGS = settings_from({"labels": ["cat", "dog"]})
CAT, DOG = 0, 1
KINDS = {
    "image": b'{"source-ref":"s3://pets/%d.jpg"}',
    "spaced": b'{ "source-ref" : "s3://pets/%d.jpg" } ',
    "failed": b'{"source-ref":"s3://pets/%d.jpg","label-metadata":{"failure-reason":"x"}}',
    "labeled": b'{"source-ref":"s3://pets/%d.jpg","label":1,"label-metadata":{}}',
    "bad": b"%d is no JSON",
}
IMAGES = {"image", "spaced", "failed"}
kinds = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=30)


def consensus(*labels: int, unreadable: frozenset[int] = frozenset(), gain: float = 0) -> Consensus:
    """A consensus of these labels by line; -1 is none."""
    count = len(labels)
    return Consensus(
        label=np.array(labels, np.int16),
        confidence=np.full(count, 0.93, np.float32),
        agreement=np.ones(count, np.float32),
        gain=np.full(count, gain, np.float32),
        answers=np.full(count, 2, np.uint16),
        unreadable=np.isin(np.arange(count), sorted(unreadable)),
    )


def written(
    text: bytes, labels: LineLabels, *, piece: int = 1 << 20, watched: tuple[int, ...] = ()
) -> tuple[LineOutcomes, dict[str, bytes]]:
    """The outcomes and files of a manifest that arrives in pieces of some size."""
    folder = Folder()
    outcomes = write_manifests(
        [text[start : start + piece] for start in range(0, len(text), piece)],
        SETTINGS,
        labels,
        LabelSplice("label", [(0, "cat"), (1, "dog")], run="pets", created="2026-11-23T01:51:01"),
        folder.create,
        watched=watched,
    )
    return outcomes, folder.files


def labels_of(
    consensus: Consensus,
    gain: float = 0.05,
    gold: Mapping[int, int] | None = None,
    duplicates: Mapping[int, int] | None = None,
) -> LineLabels:
    settings = msgspec.structs.replace(SETTINGS, gain=gain)
    facts = LineFacts(gold=gold or {}, duplicates=duplicates or {})
    return label_lines(consensus, settings, facts)


def manifest(*names: str, end: bytes = b"\n") -> bytes:
    return b"".join(KINDS[name] % index + end for index, name in enumerate(names))


def flags(labels: LineLabels, line: int) -> LineFlag:
    return LineFlag(int(labels.flags[line]))


# --- labels of lines ------------------------------------------------------------------------------


def test_an_image_is_unsure_if_one_more_answer_would_help_or_if_it_has_none() -> None:
    unsure = labels_of(consensus(CAT, gain=0.06))
    sure = labels_of(consensus(CAT, -1, gain=0.05))
    assert flags(unsure, 0) == LineFlag.UNSURE
    assert [flags(sure, line) for line in range(2)] == [LineFlag(0), LineFlag.UNSURE]


def test_an_unreadable_image_is_not_asked_again() -> None:
    labels = labels_of(consensus(-1, unreadable=frozenset({0})))
    assert flags(labels, 0) == LineFlag.UNREADABLE


def test_a_known_label_wins_over_what_workers_say() -> None:
    labels = labels_of(consensus(CAT, CAT, gain=1), gold={0: DOG, 1: -1})
    assert labels.label.tolist() == [DOG, -1]
    assert flags(labels, 0) == LineFlag.GOLD
    assert flags(labels, 1) == LineFlag.GOLD | LineFlag.UNREADABLE


def test_a_duplicate_has_all_that_its_first_line_has() -> None:
    labels = labels_of(consensus(DOG, -1, -1), gold={0: CAT}, duplicates={2: 0})
    assert labels.label.tolist() == [CAT, -1, CAT]
    assert flags(labels, 2) == LineFlag.GOLD | LineFlag.DUPLICATE


def test_flags_are_found_by_line() -> None:
    labels = labels_of(consensus(CAT, -1), gold={0: CAT})
    assert labels.has(LineFlag.GOLD).tolist() == [True, False]
    assert labels.has(LineFlag.UNSURE | LineFlag.GOLD).tolist() == [True, True]


# --- lines of manifests ---------------------------------------------------------------------------


@given(kinds, st.data())
def test_every_line_is_written_to_one_place_and_counted_there(
    names: list[str], data: st.DataObject
) -> None:
    numbers = data.draw(
        st.lists(st.integers(-1, 1), min_size=len(names), max_size=len(names)), "labels"
    )
    outcomes, files = written(manifest(*names), labels_of(consensus(*numbers)))

    outcomes.counts.check(len(names))
    ends = [
        "rejected" if name == "bad" else
        "training" if name == "labeled" or label >= 0 else
        "unlabeled"
        for name, label in zip(names, numbers, strict=True)
    ]  # fmt: skip
    for place in ("training", "unlabeled", "rejected"):
        assert getattr(outcomes.counts, place) == ends.count(place)
    for place in ("training", "unlabeled"):
        lines = [msgspec.json.decode(line) for line in files[f"{place}.manifest"].splitlines()]
        assert [line["source-ref"] for line in lines] == [
            f"s3://pets/{index}.jpg" for index, end in enumerate(ends) if end == place
        ]
    unlabeled = [index for index, end in enumerate(ends) if end == "unlabeled"]
    rows = files["unlabeled.csv"].decode().splitlines()
    assert rows == [
        "index,reason,source",
        *(f"{index},no answer,s3://pets/{index}.jpg" for index in unlabeled),
    ]
    assert outcomes.unsure.tolist() == unlabeled


@given(kinds, st.integers(1, 200), st.integers(1, 200), st.sampled_from([b"\n", b"\r\n"]))
def test_where_the_manifest_is_cut_does_not_matter(
    names: list[str], piece: int, size: int, end: bytes
) -> None:
    text, labels = manifest(*names, end=end), labels_of(consensus(*[CAT] * len(names)))
    outcomes, files = written(text, labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        cut_outcomes, cut_files = written(text, labels, piece=piece)
    assert cut_files == files
    assert cut_outcomes == outcomes


@given(kinds)
def test_what_is_written_of_a_line_does_not_depend_on_the_lines_beside_it(
    names: list[str],
) -> None:
    """Plain blocks take the fast way; one odd line sends its block the slow way."""
    labels = labels_of(consensus(*[CAT] * len(names)))
    _, together = written(manifest(*names), labels)
    alone = [
        written(KINDS[name] % index + b"\n", labels.rows(slice(index, index + 1)))[1]
        for index, name in enumerate(names)
    ]
    assert together["training.manifest"] == b"".join(file["training.manifest"] for file in alone)


def test_a_label_stands_behind_the_line_s_own_bytes() -> None:
    _, files = written(manifest("spaced"), labels_of(consensus(DOG)))
    line = files["training.manifest"]
    assert line.startswith(b'{ "source-ref" : "s3://pets/0.jpg","label":1,"label-metadata":{')
    assert msgspec.json.decode(line)["label-metadata"]["confidence"] == 0.93


def test_unlabeled_and_uncertain_lines_stand_as_they_came_so_that_they_can_be_dropped() -> None:
    text = manifest("image", "image")
    _, files = written(text, labels_of(consensus(CAT, -1, gain=1)))
    assert files["uncertain.manifest"] + files["unlabeled.manifest"] == text


def test_an_image_that_cannot_be_judged_says_so() -> None:
    labels = labels_of(consensus(-1, -1, unreadable=frozenset({1})))
    outcomes, files = written(manifest("image", "image"), labels)
    assert files["unlabeled.csv"] == (
        b"index,reason,source\n0,no answer,s3://pets/0.jpg\n1,unreadable,s3://pets/1.jpg\n"
    )
    assert dict(+outcomes.reasons) == {"no answer": 1, "unreadable": 1}


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=20))
def test_unlabeled_images_are_named_whatever_their_names_are(keys: list[str]) -> None:
    sources = [f"s3://pets/{key}" for key in keys]
    text = b"".join(msgspec.json.encode({"source-ref": uri}) + b"\n" for uri in sources)
    _, files = written(text, labels_of(consensus(*[-1] * len(keys))))
    # without newline translation, as the csv module asks for
    rows = list(csv.reader(io.StringIO(files["unlabeled.csv"].decode(), newline="")))
    assert rows == [
        ["index", "reason", "source"],
        *([str(index), "no answer", uri] for index, uri in enumerate(sources)),
    ]


def test_a_duplicate_is_labeled_like_its_first_line_and_asked_again_only_there() -> None:
    labels = labels_of(consensus(CAT, -1, gain=1), duplicates={1: 0})
    outcomes, files = written(manifest("image", "image"), labels)
    assert files["training.manifest"].count(b'"label":0') == 2
    assert outcomes.unsure.tolist() == [0]
    assert (outcomes.counts.repeats, outcomes.counts.uncertain) == (1, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    labels = labels_of(consensus(CAT, CAT))
    _, files = written(manifest("image", "image"), labels)
    _, marked = written(b"\xef\xbb\xbf" + manifest("image", "image"), labels)
    assert marked == files


def test_images_of_each_label_are_counted() -> None:
    outcomes, _ = written(manifest("image", "image", "image"), labels_of(consensus(CAT, DOG, DOG)))
    assert dict(outcomes.labels) == {CAT: 1, DOG: 2}


@pytest.mark.parametrize("names", [("image", "bad", "image"), ("image", "image", "image")])
def test_the_pictures_of_watched_images_are_kept(names: tuple[str, ...]) -> None:
    outcomes, _ = written(manifest(*names), labels_of(consensus(CAT, CAT, CAT)), watched=(2, 1, 99))
    images: dict[int, Any] = {
        index: f"s3://pets/{index}.jpg" for index in (1, 2) if names[index] in IMAGES
    }
    assert outcomes.sources == images


def test_a_manifest_that_grew_gets_no_labels() -> None:
    with pytest.raises(AssertionError, match="more than the 1 lines it had"):
        written(manifest("image", "image"), labels_of(consensus(CAT)))


def test_a_line_labeled_before_gets_its_class_s_number_of_this_run_and_is_counted() -> None:
    before = (
        b'{"source-ref":"s3://pets/0.jpg","label":0,"label-metadata":{"class-name":"dog"},"x":1.0}\n'
        b'{"source-ref":"s3://pets/1.jpg","label":1,"label-metadata":{"class-name":"dog"}}\n'
        b'{"source-ref":"s3://pets/2.jpg","label":7,"label-metadata":{"class-name":"horse"}}\n'
    )
    outcomes, files = written(manifest("image") + before, labels_of(consensus(CAT, -1, -1, -1)))
    _, first, second = files["training.manifest"].splitlines(keepends=True)
    renumbered, kept, _ = before.splitlines(keepends=True)
    assert first == renumbered.replace(b'"label":0', b'"label":1')
    assert second == kept
    counts = outcomes.counts
    assert (counts.labeled_before, counts.renumbered, counts.rejected) == (2, 1, 1)
    assert outcomes.labels_before == {1: 2}  # by the class that the line has in this run
    counts.check(4)
