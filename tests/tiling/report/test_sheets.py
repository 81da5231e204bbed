"""A label's contact sheet has its images that are least sure, in that order, and no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Consensus
from tessera.tiling.report.sheets import LEAST, SHEET, SHEETS, sheet_figures, sheet_images

images = st.lists(
    st.tuples(st.integers(-1, 2), st.sampled_from([0.3, 0.5, 0.9, 0.95]), st.integers(0, 2)),
    max_size=150,
)


def consensus_of(rows: list[tuple[int, float, int]]) -> Consensus:
    label, confidence, answers = (np.array(column) for column in zip(*rows, strict=True))
    made: Any = SimpleNamespace(label=label, confidence=confidence, answers=answers)
    return cast(Consensus, made)


@given(images.filter(len))
def test_a_sheet_is_the_least_sure_answered_images_of_its_label(
    rows: list[tuple[int, float, int]],
) -> None:
    for number, sheet in enumerate(sheet_images(consensus_of(rows), 3)):
        of_label = [
            (confidence, index)
            for index, (label, confidence, answers) in enumerate(rows)
            if label == number and answers
        ]
        assert sheet.tolist() == [index for _, index in sorted(of_label)[:SHEET]]


def test_many_labels_share_the_room() -> None:
    rows = [(label, 0.9, 2) for label in range(50) for _ in range(30)]
    sheets = sheet_images(consensus_of(rows), 50)
    assert all(len(sheet) >= LEAST for sheet in sheets)
    assert sum(map(len, sheets)) <= SHEETS


def test_a_label_of_no_image_and_an_image_without_a_source_are_not_there() -> None:
    consensus = consensus_of([(0, 0.5, 2), (0, 0.4, 2)])
    sheets = sheet_figures(consensus, ("cat", "dog"), {0: "s3://pets/0.jpg"})
    assert sheets == {"cat": [{"index": 0, "source": "s3://pets/0.jpg", "confidence": 0.5}]}
