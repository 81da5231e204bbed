"""A run's answers become its training manifest, and every line ends in one place."""

from __future__ import annotations

from typing import Any

CAT, DOG, INVALID = "cat", "dog", "invalid image"


def test_two_workers_who_agree_label_their_images(run: Any) -> None:
    run.images(3)
    labels = {"0": CAT, "1": DOG, "2": CAT}
    run.job(([0, 1, 2], {"ann": labels, "bob": labels}))

    result = run.consolidate()

    assert (result["outcome"], result["labeled"], result["partial"]) == ("done", 3, False)
    line = run.lines("training.manifest")[1]
    assert line["source-ref"] == "s3://pets/1.jpg"
    assert line["label"] == 1
    assert line["label-metadata"]["class-name"] == DOG
    assert line["label-metadata"]["creation-date"] == "2026-11-23T01:51:01.123"
    assert 0.5 < line["label-metadata"]["confidence"] < 1


def test_a_run_without_any_answer_says_so_and_loses_no_line(run: Any) -> None:
    run.images(2)
    run.job(([0, 1], {}), status="Stopped", finished=False)

    result = run.consolidate()

    assert result["outcome"] == "nothing-labeled"
    assert [line["source-ref"][-5:] for line in run.lines("unlabeled.manifest")] == [
        "0.jpg",
        "1.jpg",
    ]
