"""Which runs go by parts, and how they are cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.label_parts import plan
from tessera.tiling.label_parts.plan import fits_in_one, make_plan, next_stage
from tessera.tiling.run.run import Run
from tessera.tiling.settings import settings_from


def run_of(images: int, answers: int = 2, method: str = "hierarchical", **more: object) -> Run:
    asked = {
        "labels": ["cat", "dog"], "answers_per_image": answers, "max_answers": 9, "method": method,
    }  # fmt: skip
    place = {"name": "pets", "home": "s3://labels/runs/pets/", "started": "", "execution": ""}
    facts = {"round": 1, "manifest": {}, "counts": {"lines": images}, "asked": {1: images}}
    return Run(settings=settings_from(asked), **(place | facts | more))  # type: ignore[arg-type]  # a run's fields by name


@pytest.mark.parametrize(
    ("megabytes", "millions"), [(1769, 9), (3008, 16), (10_240, 50)], ids=["least", "usual", "most"]
)
def test_a_run_goes_by_parts_from_the_size_that_its_function_does_not_hold(
    megabytes: int, millions: int
) -> None:
    assert fits_in_one(run_of(millions * 1_000_000), megabytes)
    assert not fits_in_one(run_of((millions + 1) * 1_000_000), megabytes)


def test_methods_that_cannot_be_put_together_go_in_one_piece_at_any_size() -> None:
    for method in ("dawid-skene", "majority", "first"):
        assert fits_in_one(run_of(400_000_000, method=method), 3008)


def test_a_run_with_a_model_that_learns_goes_in_one_piece() -> None:
    run = run_of(400_000_000)
    guessed = {"labels": ["cat", "dog"], "guesses": {"seed": 0.1}}
    assert not fits_in_one(run, 3008)
    assert fits_in_one(replace(run, settings=settings_from(guessed)), 3008)


def test_later_rounds_count_with_the_images_that_they_asked() -> None:
    assert run_of(1000, 3, asked={1: 900, 2: 100, 3: 10}, round=3).expected_answers == 2810
    assert run_of(1000, 3, asked={}, round=3).expected_answers == 5000, "a record without rounds"


@given(st.integers(1, 400_000_000), st.integers(1, 9))
def test_parts_are_all_lines_each_once_and_of_a_size(images: int, answers: int) -> None:
    made = make_plan(run_of(images, answers), [])

    ends = [made.lines_of(part) for part in range(made.parts)]
    assert (ends[0].start, ends[-1].stop) == (0, images)
    assert all(one.stop == other.start for one, other in pairwise(ends))
    assert max(map(len, ends)) * answers <= plan.PART_ANSWERS + 2 * answers


def test_the_largest_run_has_fewer_parts_than_a_map_takes() -> None:
    """An inline map's turns are in the execution's history; a stack on one machine has one."""
    assert make_plan(run_of(400_000_000), []).parts <= 100
    assert make_plan(run_of(88_000_000, 9), []).parts <= 100


def test_the_report_tells_what_a_run_in_parts_goes_without() -> None:
    run = run_of(1000)
    (copies,) = plan.left_out(run)
    assert "hand in one another's answers" in copies
    remembering = settings_from({"labels": ["cat", "dog"], "remember_workers": True})
    assert "earlier runs" in plan.left_out(replace(run, settings=remembering))[1]


def test_the_stages_follow_one_another() -> None:
    stages, stage = [], next_stage("")
    while stage:
        stages.append(stage)
        stage = next_stage(stage)
    assert tuple(stages) == plan.STAGES
