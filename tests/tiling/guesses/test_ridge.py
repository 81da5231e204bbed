"""The regression that learns the answers: out of fold, in closed form."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

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
    return np.vstack([block for _, block in fitted.features.blocks()])


@given(st.integers(30, 80), st.integers(1, 12), st.integers(0, 99))
def test_a_folds_weights_are_the_ridge_solution_of_all_other_folds(
    images: int, columns: int, seed: int
) -> None:
    fitted, targets = regression(images, columns, seed)
    weights, l2 = fitted.fit(targets)
    x = columns_of(fitted).astype(np.float64)
    penalty = np.full(columns + 1, l2 * fitted.answered.sum() / 1000 + CONSTANT_L2)
    penalty[-1] = 2 * CONSTANT_L2
    for fold in range(FOLDS):
        others = fitted.answered & (fitted.folds != fold)
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
    assert (fitted.predict(weights).argmax(axis=1) == classes).all()


def test_nobody_answered_is_no_error() -> None:
    fitted, targets = regression(40, 3, 0)
    nobody = ridge(fitted.features, np.zeros(40, np.bool_))
    weights, _ = nobody.fit(targets)
    assert np.isfinite(nobody.predict(weights)).all()
