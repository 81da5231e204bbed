"""Lines that were labeled before: a class of this run by name, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.exports.dataset import LeftOut, Sample, samples
from tessera.tiling.manifest.lines import Labeled, LineReader, Rejected
from tests.tiling.folder import grouped, manifest, settings

LABELS = ("rabbit", "cannot see", "cat", "dog", "7", "Käse")
RUN = settings(labels=list(LABELS))

VALUES = st.one_of(
    st.integers(-2, 12),
    st.sampled_from([*LABELS, "Cat", "0", "7", "12", "", True, False, None, 1.0, 1.5, 2**70]),
    st.recursive(st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)
METADATA: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "class-name": st.sampled_from([*LABELS, "Cat", "horse", "Ka\u0308se", "", None, 3]),
            "type": st.sampled_from(
                ["groundtruth/image-classification", "groundtruth/object-detection"]
            ),
            "failure-reason": st.just("ClientError"),
            "class-map": st.just({"0": "cat"}),
            "confidence": st.floats(0, 1),
        },
    ),
    st.sampled_from([None, [], "cat", 3]),
)


def line_of(value: Any, **members: Any) -> bytes:
    return json.dumps({"source-ref": "s3://pets/1.jpg", "label": value} | members).encode()


@given(value=VALUES, metadata=METADATA, with_metadata=st.booleans())
def test_training_and_exports_agree_about_every_labeled_line(
    value: Any, metadata: Any, with_metadata: bool
) -> None:
    text = line_of(value, **({"label-metadata": metadata} if with_metadata else {}))
    read = LineReader(RUN).read(3, text)
    (exported,) = samples([text], RUN, group_key=None)
    if isinstance(read, Rejected):
        assert isinstance(exported, LeftOut)
        return
    assert isinstance(read, Labeled)
    assert isinstance(exported, Sample)
    written = json.loads(read.raw)
    assert written["label"] == exported.class_id
    assert type(written["label"]) is int
    assert LABELS[exported.class_id] == exported.class_name != RUN.escape
    if "class-name" in written.get("label-metadata", {}):
        assert written["label-metadata"]["class-name"] in (exported.class_name, None)
    assert read.renumbered == (read.raw != text)
    again = LineReader(RUN).read(3, read.raw)
    assert again == Labeled(3, read.raw)


@pytest.mark.parametrize(
    ("value", "metadata", "reason"),
    [
        (-1, {"class-name": "cat"}, "label: -1 is the number of no class"),
        (9, {}, "label: 9 is the number of no class"),
        (1, {}, "label: 1 is the number of no class"),
        ([0, 2], {"class-name": "cat"}, "label: a list, not the number of one class"),
        ({"annotations": []}, {}, "label: an object, not the number of one class"),
        (True, {"class-name": "cat"}, "label: true or false, not"),
        (0.5, {}, "label: a fraction, not"),
        ("Cat", {}, "label: 'Cat' is none of the classes; did you mean cat?"),
        (0, {"class-name": "cannot see"}, "label: 'cannot see' is no class but the escape"),
        ("dog", {"class-name": "cat"}, "label: 'dog', but the metadata's class-name is 'cat'"),
        (0, {"type": "groundtruth/object-detection"}, "label-metadata: of the type"),
        (0, {"failure-reason": "x"}, "label-metadata: has failure-reason"),
        (0, {"class-map": {"0": "cat"}}, "label-metadata: has class-map"),
        (0, [], "label-metadata: not an object"),
    ],
)
def test_a_label_of_no_class_is_rejected_with_the_reason(
    value: Any, metadata: Any, reason: str
) -> None:
    bad = line_of(value, **{"label-metadata": metadata})
    summary, folder = grouped(manifest(20) + bad + b"\n", RUN)
    assert (summary.labeled, summary.rejected) == (0, 1)
    assert str(folder.rejected()[0]["reason"]).startswith(reason)
