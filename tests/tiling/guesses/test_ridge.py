"""The regression that learns the answers: out of fold, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.guesses import ridge as regressions
from tessera.tiling.guesses.columns import Columns, features
from tessera.tiling.guesses.ridge import CONSTANT_L2, FOLDS, Ridge, folds_of, ridge


def regression(images: int, columns: int, seed: int) -> tuple[Ridge, NDArray[np.float32]]:
    """Return a regression on random columns, and random targets of three classes."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(images, columns)).astype(np.float32)
    answered = chance.random(images) < 0.7
    targets = chance.dirichlet([1, 1, 1], images).astype(np.float32)
    return ridge(features(Columns(rows)), answered), targets


def columns_of(fitted: Ridge) -> NDArray[np.float32]:
    return fitted.features.of(np.arange(len(fitted.folds)))[0]


@given(st.integers(30, 80), st.integers(1, 12), st.integers(0, 99))
def test_a_folds_weights_are_the_ridge_solution_of_all_other_folds(
    images: int, columns: int, seed: int
) -> None:
    fitted, targets = regression(images, columns, seed)
    weights, l2 = fitted.fit(targets)
    x = columns_of(fitted).astype(np.float64)
    penalty = np.full(columns + 1, l2 * len(fitted.taught) / 1000 + CONSTANT_L2)
    penalty[-1] = 2 * CONSTANT_L2
    for fold in range(FOLDS):
        others = fitted.taught[fitted.folds[fitted.taught] != fold]
        gram = x[others].T @ x[others] + np.diag(penalty)
        expected = np.linalg.solve(gram, x[others].T @ targets[others])
        assert np.allclose(weights[fold], expected, atol=1e-3)


@given(st.integers(0, 59), st.integers(0, 99))
def test_an_image_is_not_guessed_by_what_its_own_answers_taught(image: int, seed: int) -> None:
    fitted, targets = regression(60, 4, seed)
    fold = fitted.folds[image]
    before = {l2: weights for weights, l2 in [fitted.fit(targets)]}
    targets[image] = [0, 0, 1]
    after, l2 = fitted.fit(targets)
    if l2 in before:  # the shrinkage is one for all folds, so only at the same one they compare
        assert np.array_equal(before[l2][fold], after[fold])


@given(st.integers(1, 5000))
def test_folds_depend_on_the_index_alone_and_are_about_as_large(images: int) -> None:
    folds = folds_of(images)
    assert np.array_equal(folds, folds_of(images + 1)[:images])
    sizes = np.bincount(folds, minlength=FOLDS)
    assert (np.abs(sizes - images / FOLDS) < 5 * np.sqrt(images / FOLDS) + 1).all()


def test_columns_that_say_it_all_are_learned() -> None:
    classes = np.arange(300) % 3
    rows = np.eye(3, dtype=np.float32)[classes]
    fitted = ridge(features(Columns(rows)), np.ones(300, np.bool_))
    weights, _ = fitted.fit(rows)
    assert (fitted.predict(weights)[0].argmax(axis=1) == classes).all()


def test_of_more_images_than_are_needed_a_hash_says_which_teach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regressions, "MOST_TAUGHT", 50)
    fitted, targets = regression(400, 3, 1)
    again, _ = regression(400, 3, 1)
    assert len(fitted.taught) == 50
    assert np.array_equal(fitted.taught, again.taught)
    assert fitted.grams[:, -1, -1].sum() == 50
    # from early and late lines alike: manifests are often sorted by class
    assert 10 <= (fitted.taught < 200).sum() <= 40
    scores, usable = fitted.predict(fitted.fit(targets)[0])
    assert usable.all()
    assert scores.any(axis=1).all()


def test_nobody_answered_is_no_error() -> None:
    fitted, targets = regression(40, 3, 0)
    nobody = ridge(fitted.features, np.zeros(40, np.bool_))
    weights, _ = nobody.fit(targets)
    assert np.isfinite(nobody.predict(weights)[0]).all()
