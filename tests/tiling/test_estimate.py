"""Estimate of a run: sums that add up, and the shares that were measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.estimate import (
    AskedAgain,
    Assumptions,
    asked_again,
    estimate,
    expected_rounds,
    page_seconds,
)
from tessera.tiling.settings import GuessSettings, Settings

TEAM = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/cats"


def settings(**changed: Any) -> Settings:
    return Settings(labels=("cat", "dog"), question="?", instructions="", **changed)


USUAL = AskedAgain(0.23, 0.64)


def assumed(seconds: float = 2.5, again: AskedAgain = USUAL) -> Assumptions:
    return Assumptions(seconds=seconds, seconds_one_by_one=8.1, asked_again=again)


@given(
    images=st.integers(1, 10**7),
    first=st.integers(1, 9),
    more=st.integers(0, 8),
    gain=st.floats(0, 1),
)
def test_answers_lie_between_the_fewest_and_the_most_that_are_allowed(
    images: int, first: int, more: int, gain: float
) -> None:
    chosen = settings(answers_per_image=first, max_answers=min(9, first + more), gain=gain)

    rounds = expected_rounds(images, 1, chosen, asked_again(gain))

    answers = sum(entry.answers for entry in rounds)
    assert images * first <= answers <= images * chosen.max_answers + 1e-6 * images
    assert [entry.round for entry in rounds] == list(range(1, len(rounds) + 1))
    assert all(later.images <= images for later in rounds)


@given(low=st.floats(0.001, 1), high=st.floats(0.001, 1))
def test_asking_for_more_gain_asks_fewer_images_again(low: float, high: float) -> None:
    low, high = sorted((low, high))

    assert asked_again(high).share <= asked_again(low).share
    assert asked_again(high).further <= asked_again(low).further


@pytest.mark.parametrize(
    ("gain", "most", "measured"),
    [(0.05, 3, 2.29), (0.08, 3, 2.20), (0.02, 3, 2.40), (0.05, 5, 2.56), (0.03, 5, 2.83)],
)
def test_answers_an_image_are_those_measured_on_public_sets(
    gain: float, most: int, measured: float
) -> None:
    chosen = settings(gain=gain, max_answers=most)

    result = estimate(
        images=1000, tasks=50, shards=1, settings=chosen, assumed=assumed(again=asked_again(gain))
    )

    assert result.answers_an_image == pytest.approx(measured, abs=0.02)


def test_pages_of_twenty_save_what_the_post_measured() -> None:
    result = estimate(
        images=1000,
        tasks=50,
        shards=1,
        settings=settings(answers_per_image=1, max_answers=1, workforce=TEAM),
        assumed=assumed(seconds=page_seconds(20)),
    )

    assert result.saved_hours == pytest.approx(0.69, abs=0.005)
    assert result.saved_fees == pytest.approx(0.95)
    assert (result.tiled.object_fees, result.one_by_one.object_fees) == (4.0, 80.0)


def test_gold_images_take_time_and_room_but_do_not_count_as_images() -> None:
    plain = estimate(images=1000, tasks=50, shards=1, settings=settings(), assumed=assumed())
    with_gold = estimate(
        images=1000, tasks=63, shards=1, settings=settings(gold_per_task=4), assumed=assumed()
    )

    assert with_gold.tiled.answers == plain.tiled.answers
    assert with_gold.tiled.hours == pytest.approx(plain.tiled.hours / 0.8)


def test_a_run_that_embeds_its_pictures_pays_about_a_dollar_a_million_and_no_other_does() -> None:
    def embedding(encoder: Any, **more: Any) -> float:
        guesses = {"guesses": GuessSettings(encoder=encoder)} if encoder else {}
        result = estimate(
            images=1_000_000, tasks=10_000, shards=1, settings=settings(**guesses),
            assumed=assumed(), **more,
        )  # fmt: skip
        return result.aws.get("embedding", 0.0)

    assert 1.0 < embedding("efficientnet-lite0") < 1.6
    assert 0.4 < embedding("pixels") < 0.8
    assert embedding("") == embedding("pixels", has_embeddings=True) == 0


def test_the_portal_has_no_fee_and_ground_truth_no_table() -> None:
    portal, ground_truth = (
        estimate(
            images=100, tasks=5, shards=1, settings=settings(workforce=team), assumed=assumed()
        )
        for team in ("portal", TEAM)
    )

    assert portal.tiled.object_fees == 0
    assert ground_truth.tiled.object_fees > 0
    assert "DynamoDB" in portal.aws
    assert "DynamoDB" not in ground_truth.aws


@given(images=st.integers(1, 10**6), seed=st.floats(0.01, 1), least=st.integers(0, 1))
def test_with_a_model_every_image_is_asked_once_at_least_and_fewer_answers_are_expected(
    images: int, seed: float, least: int
) -> None:
    chosen = settings(guesses=GuessSettings(seed=seed, least=least))
    tasks = -(-images // 20)
    taught = expected_rounds(images, tasks, chosen, USUAL)
    plain = expected_rounds(images, tasks, settings(), USUAL)
    answers = sum(entry.answers for entry in taught)
    if least:
        assert sum(entry.images for entry in taught) >= images * (1 - 1e-9)
    assert answers <= sum(entry.answers for entry in plain) + 0.2 * images + 1
    if images > 500 and seed < 0.5:
        assert answers < sum(entry.answers for entry in plain)
