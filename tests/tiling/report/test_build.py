"""A round's result says how the run goes on, and its report has every figure that is documented."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Evidence, consolidate
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.guesses.asking import Judged, ModelResult, decide
from tessera.tiling.report.build import RunResult, build_report, next_round_figures, summarize
from tessera.tiling.report.next_steps import next_steps
from tessera.tiling.run.run import Run
from tessera.tiling.settings import settings_from
from tessera.tiling.training.line_counts import Counts, LineOutcomes
from tests.tiling.consensus.crowds import simulated
from tests.tiling.report.small_run import crowd_of

HOME = "s3://labels/runs/pets/"
DOCUMENTED = (Path(__file__).parents[3] / "docs" / "report.md").read_text("utf-8")
COMPLETED = {"name": "pets-r1-000", "status": "Completed"}
STOPPED = {"name": "pets-r1-001", "status": "Stopped"}


def run(*jobs: dict[str, str], round_: int = 1, **settings: Any) -> Run:
    return Run(
        name="pets",
        home=HOME,
        round=round_,
        started="2026-11-23T01:51:01.123Z",
        execution="arn:1",
        settings=settings_from({"labels": ["cat", "dog", "cannot see"]} | settings),
        manifest={"bucket": "inbox", "key": "pets/may.manifest"},
        counts={"lines": 3},
        tasks={1: 1},
        jobs=jobs or (COMPLETED,),
    )


def result(
    of: Run,
    lines: LineOutcomes,
    *answers: tuple[int, int, int],
    known: tuple[int, ...] | None = None,
    unloaded: tuple[tuple[int, int], ...] = (),
) -> RunResult:
    """The result of a run of three images that got these answers in its first round.

    `unloaded` are pairs of an image and the worker whom it did not load for.
    """
    crowd = crowd_of(*answers, (2, 1, 0), classes=2)
    rows = len(crowd) if answers else 0
    crowd = type(crowd)(3, 2, 2, crowd.image[:rows], crowd.worker[:rows], crowd.label[:rows])
    evidence = Evidence(None if known is None else np.array(known, np.int16))
    return RunResult(
        run=of,
        crowd=crowd,
        names=["ann", "bob"],
        seconds=np.full(rows, np.nan, np.float32),
        submission=crowd.worker.astype(np.int32),
        round_=np.ones(rows, np.int8),
        noted={},
        evidence=evidence,
        consensus=consolidate(crowd, of.settings.method, evidence=evidence),
        lines=lines,
        unloaded=Unloaded(*np.array(unloaded, np.int32).reshape(-1, 2).T),
    )


def outcomes(*unsure: int, no_answer: int = 0, **counts: int) -> LineOutcomes:
    lines = LineOutcomes(counts=Counts(**{"lines": 3, "training": 3} | counts))
    lines.unsure.extend(unsure)
    lines.reasons["no answer"] = no_answer
    lines.sources.update({image: f"s3://pets/{image}.jpg" for image in range(3)})
    return lines


ANSWERS = ((0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 0))


def test_the_report_has_the_keys_that_are_documented() -> None:
    table = DOCUMENTED[DOCUMENTED.index("## report.json") :]
    documented = {
        key
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }
    watched = run(stop_below={"right": 0.6}, gold_per_task=2)
    noticed = replace(watched, notices=("seed: 4 has no effect",))
    with_failure = result(noticed, outcomes(), *ANSWERS, unloaded=((2, 1),))
    with_failure.lines.labels_before[0] = 1
    with_failure.consensus.copies.append([0, 1])
    with_failure.consensus.experts.append([0, 1])
    with_failure.lines.reviewed = 1
    judged = Judged(with_failure.crowd, with_failure.evidence, None, with_failure.consensus)
    model = ModelResult(judged, decide(judged, with_failure.run.settings), "it was interrupted")
    with_model = replace(with_failure, model=model)
    qualification = {"needed": 0.8, "tried": 2, "passed": 1}
    flagged = {"images": 1, "flags": 1, "reasons": {"two things in it": 1}, "pictures": []}
    figures = build_report(with_model, qualification, flagged) | next_round_figures(watched, [1])
    # These take other answers: test_pace.py, test_what_helps.py and tests below have them.
    elsewhere = {
        "pace",
        "would_have_helped",
        "one_label",
        "gold_in_doubt",
        "common_label",
        "remembered",
    }
    assert figures.keys() | elsewhere == documented
    assert "2 workers tried to qualify" in figures["notices"][-1]
    # where every picture came there is nothing to say of it
    rare = {"copies", "one_label", "same_answers", "labels_before", "notices", "unloaded"}
    rare |= {
        "guesses",
        "reviewed",
        "stopped",
        "qualification",
        "pace",
        "would_have_helped",
        "gold_in_doubt",
        "common_label",
        "remembered",
        "flagged",
        "next_round",
    }
    assert documented - build_report(result(run(), outcomes(), *ANSWERS)).keys() == rare


def test_workers_who_give_one_label_are_named_as_that_and_not_as_copies() -> None:
    alike = result(
        run(), outcomes(), *((image, worker, 0) for image in (0, 1) for worker in (0, 1))
    )
    alike.consensus.copies.append([0, 1])
    figures = build_report(alike)
    names = [alike.names[worker] for worker in (0, 1)]
    label = alike.run.settings.classes[0]
    assert figures["one_label"] == [{"workers": names, "label": label, "share": 1.0}]
    assert "copies" not in figures
    steps = [step["found"] for step in next_steps(figures)]
    assert f"2 workers gave nearly all images one label ({', '.join(names)})." in steps


def test_workers_who_may_be_experts_are_named_and_nobody_is_blamed() -> None:
    alike = result(run(), outcomes(), *ANSWERS)
    alike.consensus.experts.append([0, 1])
    figures = build_report(alike)
    names = [alike.names[worker] for worker in (0, 1)]
    assert figures["same_answers"] == [names]
    assert "copies" not in figures
    (advice,) = [
        step for step in next_steps(figures) if step["found"].startswith("2 workers gave the same")
    ]
    assert "each counts as one" in " ".join(advice.values())


def test_gold_that_workers_contradict_is_named_until_a_reviewer_has_decided() -> None:
    crowd, truth = simulated(100, 8, 2, answers=4, accuracy=0.95)
    known = np.full(100, -1, np.int16)
    known[:3] = 1 - truth[0], truth[1], truth[2]
    lines = outcomes(lines=100, training=100)
    lines.sources.update({image: f"s3://pets/{image}.jpg" for image in range(100)})
    evidence = Evidence(known)
    contradicted = replace(
        result(run(), lines, *ANSWERS),
        crowd=crowd,
        names=[f"w{worker}" for worker in range(8)],
        seconds=np.full(400, np.nan, np.float32),
        submission=crowd.worker.astype(np.int32),
        round_=np.ones(400, np.int8),
        evidence=evidence,
        consensus=consolidate(crowd, evidence=evidence),
    )
    figures = build_report(contradicted)
    (image,) = figures["gold_in_doubt"]["images"]
    names = contradicted.run.settings.classes
    right, wrong = names[truth[0]], names[1 - truth[0]]
    assert (image["index"], image["gold"], image["label"]) == (0, wrong, right)
    assert image["confidence"] >= 0.9
    steps = [step for step in figures["next"] if "may be wrong" in step["found"]]
    assert steps[0]["found"] == (
        f"1 gold label may be wrong: line 1 is given as {wrong!r}, and {image['said'][right]} of 4 "
        f"workers say {right!r}."
    )
    assert "tessera review pets" in steps[0]["do"]
    assert "gold_in_doubt" not in build_report(replace(contradicted, reviewed={0: 1 - truth[0]}))


def test_workers_who_are_known_from_earlier_runs_are_counted() -> None:
    remembering = run(remember_workers=True)
    plain = result(remembering, outcomes(), *ANSWERS)
    assert build_report(plain)["remembered"] == {"workers": 0, "of": 2}
    earlier = np.zeros((2, 2, 2))
    earlier[1, 1, 1] = 3.5
    known = replace(plain, evidence=replace(plain.evidence, earlier=earlier))
    assert build_report(known)["remembered"] == {"workers": 1, "of": 2}
    assert "remembered" not in build_report(result(run(), outcomes(), *ANSWERS))
    majority = run(remember_workers=True, method="majority")
    assert "remembered" not in build_report(result(majority, outcomes(), *ANSWERS))


def test_a_run_that_got_no_answer_has_a_report_too() -> None:
    nothing = result(run(STOPPED), outcomes(0, 1, 2, training=0, unlabeled=3, no_answer=3))
    figures = build_report(nothing)
    assert (figures["answers"]["used"], figures["workers"][0]["agreement"]) == (0, None)
    assert figures["unlabeled"] == {"no answer": 3}


def test_known_labels_are_compared_with_what_workers_say() -> None:
    figures = build_report(result(run(), outcomes(), *ANSWERS, known=(0, 0, -1)))
    assert (figures["gold"]["images"], figures["gold"]["right"]) == (2, 1)
    assert build_report(result(run(), outcomes(), *ANSWERS))["gold"]["images"] == 0


@given(
    labels=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=3, max_size=3),
    known=st.tuples(*[st.integers(-1, 1)] * 3),
)
def test_an_image_of_known_label_is_neither_doubtful_nor_among_a_label_s_pictures(
    labels: list[tuple[int, int]], known: tuple[int, ...]
) -> None:
    answers = [
        (image, worker, label)
        for image, given_ in enumerate(labels)
        for worker, label in enumerate(given_)
    ]
    figures = build_report(result(run(), outcomes(), *answers, known=known))
    open_ = {image for image, class_ in enumerate(known) if class_ < 0}
    assert {image["index"] for image in figures["doubtful"]} == open_
    sheets = [image["index"] for sheet in figures["sheets"].values() for image in sheet]
    assert sorted(sheets) == sorted(open_)


@pytest.mark.parametrize(
    ("of", "unsure", "outcome"),
    [
        (run(), (), "done"),
        (run(), (2,), "again"),
        (run(round_=2), (2,), "done"),  # as many answers as the settings allow
        (run(STOPPED), (2,), "done"),  # what ended this round would end the next
    ],
)
def test_one_more_round_is_asked_for_unsure_images_while_it_may_be(
    of: Run, unsure: tuple[int, ...], outcome: str
) -> None:
    summary = summarize(result(of, outcomes(*unsure), *ANSWERS))
    assert summary["outcome"] == outcome
    assert summary["again"] == (len(unsure) if outcome == "again" else 0)


@pytest.mark.parametrize(
    ("of", "no_answer", "partial"), [(run(), 0, False), (run(), 1, True), (run(STOPPED), 0, True)]
)
def test_a_result_is_partial_if_some_of_what_was_asked_was_not_answered(
    of: Run, no_answer: int, partial: bool
) -> None:
    assert summarize(result(of, outcomes(no_answer=no_answer), *ANSWERS))["partial"] is partial


def test_a_result_is_announced_with_its_numbers_and_places() -> None:
    summary = summarize(result(run(), outcomes(training=2, unlabeled=1), *ANSWERS))
    notice = summary["announcement"]["notice"]
    assert (notice["labeled"], notice["manifest"]) == (2, "s3://inbox/pets/may.manifest")
    assert notice["training_manifest"] == f"{HOME}training.manifest"
    assert "failure" not in summary


def test_a_run_without_any_answer_fails_with_the_reason() -> None:
    nothing = outcomes(0, 1, 2, training=0, unlabeled=3, no_answer=3)
    summary = summarize(result(run(STOPPED), nothing))
    assert (summary["outcome"], summary["failure"]["error"]) == (
        "nothing-labeled",
        "NothingLabeled",
    )
    assert "pets-r1-001 ended Stopped" in summary["failure"]["cause"]
    assert "announcement" not in summary


def test_a_run_that_had_nothing_to_ask_is_done() -> None:
    labeled = outcomes(labeled_before=1, gold=2)
    assert summarize(result(run(), labeled))["outcome"] == "done"
