"""Labels change midway as docs/manifests.md says: no answer to a label that stays is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fakes import Files
from tests.functions.conftest import Run

OLD = ["cat", "dog", "fox"]
NEW = st.permutations(["cat", "dog", "fox", "horse"]).flatmap(
    lambda labels: st.integers(2, 4).map(lambda count: list(labels)[:count])
)


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report's template."""
    monkeypatch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))


def begin(labels: list[str], lines: list[Any]) -> Run:
    run = Run(Files())
    run.settings = {"labels": labels}
    run.manifest(*lines)
    return run


@pytest.mark.thorough
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*OLD, None]), min_size=1, max_size=8), NEW)
def test_labels_that_stay_keep_their_answers_and_the_others_are_asked(
    answers: list[str | None], labels: list[str]
) -> None:
    first = begin(OLD, [{"source-ref": f"s3://pets/{n}.jpg"} for n in range(len(answers))])
    given = {str(n): label for n, label in enumerate(answers) if label}
    if given:
        images = sorted(map(int, given))
        first.job((images, {"ann": given, "bob": given}))
    first.consolidate()
    training, unlabeled = first.lines("training.manifest"), first.lines("unlabeled.manifest")

    # Step 2: one file, without the labels of classes that are no more.
    lines = [
        line
        if line["label-metadata"]["class-name"] in labels
        else {"source-ref": line["source-ref"]}
        for line in training
    ] + unlabeled
    second = begin(labels, lines)
    asked = [n for n, line in enumerate(lines) if "label" not in line]
    if asked:
        every = {str(n): labels[0] for n in asked}
        second.job((asked, {"cid": every, "dan": every}))
    second.consolidate()

    result = {line["source-ref"]: line for line in second.lines("training.manifest")}
    assert len(result) == len(answers)  # no line is lost
    for n, label in enumerate(answers):
        line = result[f"s3://pets/{n}.jpg"]
        metadata = line["label-metadata"]
        stays = label in labels
        assert metadata["class-name"] == (label if stays else labels[0])
        assert labels[line["label"]] == metadata["class-name"]
        if stays:  # with its confidence, and whose it is
            before = next(one for one in training if one["source-ref"] == line["source-ref"])
            assert metadata == before["label-metadata"]
    report = msgspec.json.decode(second.bucket.objects["s3://labels/runs/pets/report.json"])
    assert report["images"]["rejected"] == 0
    assert report["images"]["labeled_before"] == sum(label in labels for label in answers)
