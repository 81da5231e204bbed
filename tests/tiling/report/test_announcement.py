"""A run's end is announced in sentences that are true of one image and of many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.report.announcement import announce_labels, explain_nothing_labeled

HOME = "s3://labels/runs/pets-2f9a/"


def result(labeled: int, images: int, **keys: Any) -> dict[str, Any]:
    """The result of a run that labeled so many of its images."""
    return {
        "outcome": "done",
        "run": "pets-2f9a",
        "home": HOME,
        "round": 2,
        "images": images,
        "labeled": labeled,
        "unlabeled": images - labeled,
        "rejected": 0,
        "uncertain": 0,
        "again": 0,
        "partial": False,
        "training_manifest": f"{HOME}training.manifest",
        "report": f"{HOME}report.html",
    } | keys


def job(number: int = 0, status: str = "Completed", **keys: str) -> dict[str, str]:
    return {"name": f"pets-2f9a-r1-{number:03d}", "status": status} | keys


def announced(result: dict[str, Any], *jobs: dict[str, str]) -> dict[str, Any]:
    return announce_labels(
        result, manifest="s3://inbox/pets.manifest", jobs=jobs, execution="arn:1"
    )


@pytest.mark.parametrize(
    ("labeled", "images", "sentence"),
    [
        (197, 200, "197 of 200 images are labeled."),
        (1200, 12000, "1,200 of 12,000 images are labeled."),
        (1, 200, "1 of 200 images is labeled."),
        (1, 1, "1 of 1 image is labeled."),
        (0, 1, "0 of 1 image is labeled."),
        (0, 2, "0 of 2 images are labeled."),
    ],
)
def test_a_whole_run_is_told_of_in_one_sentence(labeled: int, images: int, sentence: str) -> None:
    assert announced(result(labeled, images), job())["notice"]["message"] == sentence


def test_the_subject_says_whether_all_that_was_asked_is_answered() -> None:
    assert announced(result(197, 200))["subject"] == "Labeled: 197 of 200 images of pets-2f9a"
    assert (
        announced(result(1, 1, partial=True))["subject"]
        == "Partly labeled: 1 of 1 image of pets-2f9a"
    )


def test_a_partial_run_says_what_is_missing_and_what_to_do() -> None:
    message = announced(result(197, 200, partial=True), job())["notice"]["message"]
    assert message == (
        "197 of 200 images are labeled: this is a part of what was asked. 3 images have no label; "
        "drop unlabeled.manifest to ask for them again."
    )


def test_one_missing_image_and_its_job_are_told_of_in_the_singular() -> None:
    message = announced(result(1, 2, partial=True), job(status="Stopped"))["notice"]["message"]
    assert message == (
        "1 of 2 images is labeled: this is a part of what was asked. 1 image has no label; drop "
        "unlabeled.manifest to ask for it again. Job pets-2f9a-r1-000 ended Stopped."
    )


def test_a_partial_run_that_labeled_everything_asks_for_nothing() -> None:
    message = announced(result(2, 2, partial=True), job(status="NotClosed"))["notice"]["message"]
    assert message == (
        "2 of 2 images are labeled: this is a part of what was asked. "
        "Job pets-2f9a-r1-000 ended NotClosed."
    )


@pytest.mark.parametrize(
    ("jobs", "end"),
    [
        (2, "Job pets-2f9a-r1-000 ended Failed. 1 more job did not complete."),
        (12, "Job pets-2f9a-r1-000 ended Failed. 11 more jobs did not complete."),
    ],
)
def test_several_incomplete_jobs_are_counted_and_ten_of_them_listed(jobs: int, end: str) -> None:
    failed = [job(number, "Failed", cause="no quota") for number in range(jobs)]
    notice = announced(result(1, 2, partial=True), job(99), *failed)["notice"]
    assert notice["message"].endswith(end)
    assert notice["jobs"] == failed[:10]


def test_a_notice_has_the_keys_that_the_documentation_promises() -> None:
    notice = announced(result(197, 200), job())["notice"]
    assert notice.keys() == {
        "version", "run", "home", "manifest", "training_manifest", "report", "images", "labeled",
        "unlabeled", "rejected", "uncertain", "rounds", "partial", "jobs", "message", "execution",
    }  # fmt: skip
    assert (notice["version"], notice["rounds"], notice["jobs"]) == (1, 2, [])


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.booleans())
def test_a_subject_fits_what_sns_takes(labeled: int, more: int, partial: bool) -> None:
    run = "a" * 40  # as long as a run's name gets
    subject = announced(result(labeled, labeled + more, partial=partial, run=run))["subject"]
    assert len(subject) <= 100
    assert subject.isascii()


def test_jobs_that_were_all_refused_are_explained_by_the_first() -> None:
    refused = job(status="NotOpened", error="ValidationException", cause="no such work team")
    assert explain_nothing_labeled([refused, refused], HOME) == {
        "error": "JobsRefused",
        "cause": "Not one job could be opened, so nobody was asked and nothing was paid. "
        "The first, pets-2f9a-r1-000: ValidationException: no such work team",
    }


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        ([], ""),
        ([job()], ""),
        ([job(), job(1, "Stopped")], " Job pets-2f9a-r1-001 ended Stopped."),
        ([job(0, "Stopped", cause="")], " Job pets-2f9a-r1-000 ended Stopped."),
        (
            [job(0, "NotOpened", error="E", cause="no quota"), job(1)],
            " Job pets-2f9a-r1-000 ended NotOpened: no quota.",
        ),
    ],
)
def test_a_run_without_answers_names_the_first_job_that_did_not_complete(
    jobs: list[dict[str, str]], sentence: str
) -> None:
    assert explain_nothing_labeled(jobs, HOME) == {
        "error": "NothingLabeled",
        "cause": f"The jobs ended without a single answer.{sentence} Run: {HOME}",
    }


def test_a_run_whose_answers_could_not_be_collected_says_that_they_are_kept() -> None:
    jobs = [job(0), job(1, "NotClosed", error="E", cause="the function failed")]
    cause = explain_nothing_labeled(jobs, HOME)["cause"]
    assert "answers that were given are kept" in cause
    assert "Job pets-2f9a-r1-001 ended NotClosed: the function failed." in cause
    assert "without a single answer" not in cause
