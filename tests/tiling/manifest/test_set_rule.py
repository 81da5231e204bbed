"""Lines with a list of labels: the names decide, and what cannot be meant is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.class_rule import NoClass
from tessera.tiling.manifest.set_rule import SET_TYPE, SetRule
from tessera.tiling.settings import read_settings

LABELS = ("cat", "dog", "cannot see", "bird")
RULE = SetRule(read_settings(json.dumps({"task": "multi", "labels": LABELS}).encode()))


def read(label: Any, metadata: Any = None) -> Any:
    raw = None if metadata is None else json.dumps(metadata).encode()
    return RULE.read(json.dumps(label).encode(), raw)


@given(st.permutations(["cat", "dog", "bird"]), st.integers(0, 3), st.integers(0, 9))
def test_a_line_of_other_numbers_gets_those_of_this_run_by_its_names(
    names: list[str], count: int, first: int
) -> None:
    written = {str(first + place): name for place, name in enumerate(names[:count])}
    metadata = {"type": SET_TYPE, "class-map": written, "confidence-map": dict.fromkeys(written, 1)}
    label = [int(number) for number in written]
    known = read(label, metadata)
    assert known.names == tuple(names[:count])
    line = {"source-ref": "s3://b/1", "x": [1], "label": label, "label-metadata": metadata}
    renumbered = json.loads(RULE.renumber(json.dumps(line).encode(), known))
    assert renumbered["label"] == sorted(LABELS.index(name) for name in written.values())
    maps = renumbered["label-metadata"]
    assert {LABELS[int(number)]: name for number, name in maps["class-map"].items()} == {
        name: name for name in written.values()
    }
    assert maps["confidence-map"].keys() == maps["class-map"].keys()
    assert renumbered["x"] == [1]
    again = read(renumbered["label"], maps)
    assert not again.renumbered


@pytest.mark.parametrize(
    ("label", "metadata", "reason"),
    [
        (1, None, "not a list"),
        ([True], None, "not a list"),
        (["cat"], None, "not a list"),
        (None, None, "not a list"),
        ([0, 0], None, "twice"),
        ([9], None, "the number of no label"),
        ([2], None, "the number of no label"),
        ([0], {"class-map": {"0": "fox"}}, "none of the labels"),
        ([0, 1], {"class-map": {"0": "cat", "1": "cat"}}, "the same name"),
        ([0], {"class-map": {"0": 7}}, "class-map"),
        ([0], {"class-map": ["cat"]}, "class-map"),
        ([0], {"type": "groundtruth/image-classification"}, "of the type"),
        ([0], {"failure-reason": "x"}, "failure-reason"),
        ([0], [], "not an object"),
    ],
)
def test_what_names_no_labels_of_the_run_is_rejected_with_the_reason(
    label: Any, metadata: Any, reason: str
) -> None:
    with pytest.raises(NoClass, match=reason):
        read(label, metadata)
