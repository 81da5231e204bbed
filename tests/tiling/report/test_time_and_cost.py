"""Hours and fees are set beside those of one image a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tessera.tiling.estimate import OBJECT_PRICE, page_seconds
from tessera.tiling.report.time_and_cost import cost_figures, embedding_figures, time_figures
from tessera.tiling.run.run import Run
from tessera.tiling.settings import settings_from

ON_PORTAL = settings_from({"labels": ["cat", "dog"]})
AT_GROUND_TRUTH = settings_from(
    {
        "labels": ["cat", "dog"],
        "workforce": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/vets",
    }
)
ROUNDS = [{"tasks": 10, "images": 200}, {"tasks": 2, "images": 30}]


def test_measured_seconds_are_hours_of_work() -> None:
    figures = time_figures(3600, 2.5, ON_PORTAL)
    assert (figures["measured"], figures["hours"]) == (True, 2.5)
    assert figures["hours_alone"] == pytest.approx(8.1)


def test_unmeasured_seconds_are_those_expected_of_the_page_s_size() -> None:
    figures = time_figures(100, None, ON_PORTAL)
    assert not figures["measured"]
    assert figures["seconds_per_image"] == round(page_seconds(20), 3)


def test_ground_truth_charges_for_every_page_of_every_round() -> None:
    figures = cost_figures(ROUNDS, AT_GROUND_TRUTH)
    assert (figures["service"], figures["price_per_page"]) == ("ground-truth", OBJECT_PRICE)
    assert (figures["pages"], figures["pages_alone"]) == (12, 230)
    assert (figures["fees"], figures["fees_alone"]) == (0.96, 18.4)


def test_the_portal_charges_nothing() -> None:
    figures = cost_figures(ROUNDS, ON_PORTAL)
    assert (figures["service"], figures["fees"], figures["fees_alone"]) == ("portal", 0, 0)


def test_a_run_that_embeds_its_pictures_says_what_that_costs() -> None:
    settings = settings_from(
        {"labels": ["cat", "dog"], "guesses": {"encoder": "efficientnet-lite0"}}
    )
    run = Run(
        name="pets-1", home="s3://labels/pets-1/", round=1, started="", execution="",
        settings=settings, manifest={}, counts={"lines": 1_000_500, "rejected": 500},
        embeds_itself=True,
    )  # fmt: skip
    figures = embedding_figures(run)["embedding"]
    assert (figures["encoder"], figures["pictures"]) == ("efficientnet-lite0", 1_000_000)
    assert 1.0 < figures["dollars"] < 1.6
    # of embeddings that lay beside the manifest nobody knows what they cost
    assert embedding_figures(replace(run, embeds_itself=False)) == {}
    assert embedding_figures(replace(run, settings=ON_PORTAL)) == {}
