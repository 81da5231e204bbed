"""Embeddings and probabilities as columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.guesses.columns import (
    BLOCK_ROWS,
    MAX_COLUMNS,
    Columns,
    Features,
    features,
    in_single_precision,
)


def whole(columns: Features) -> np.ndarray:
    """Return all rows, without the constant column."""
    return columns.of(np.arange(len(columns)))[0][:, :-1]


def random_rows(images: int, numbers: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(images, numbers)).astype(np.float32)


@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 99))
def test_rows_are_centered_and_of_unit_length_on_average(
    images: int, numbers: int, seed: int
) -> None:
    rows = whole(features(Columns(random_rows(images, numbers, seed))))
    assert np.allclose(rows.mean(axis=0), 0, atol=1e-3)
    square = (rows**2).sum(axis=1).mean()
    assert square == pytest.approx(1, abs=1e-3) or numbers == 1


def test_the_length_of_an_embedding_says_nothing() -> None:
    rows = random_rows(50, 8)
    scaled = rows * np.linspace(0.1, 10, 50, dtype=np.float32)[:, None]
    assert np.allclose(whole(features(Columns(rows))), whole(features(Columns(scaled))), atol=1e-4)


@pytest.mark.thorough
def test_wide_embeddings_are_projected_and_keep_their_distances() -> None:
    # 20 dimensions in 600 numbers: nothing can be lost
    rows = random_rows(400, 20) @ random_rows(20, 600, seed=1)
    wide = features(Columns(rows))
    assert wide.width == MAX_COLUMNS
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.linalg.norm(unit[0] - unit[1:], axis=1)
    actual = np.linalg.norm(whole(wide)[0] - whole(wide)[1:], axis=1)
    assert np.allclose(actual / actual.mean(), expected / expected.mean(), atol=1e-3)


@given(st.data())
def test_rows_without_numbers_are_unusable_and_change_no_other_row(data: st.DataObject) -> None:
    rows = random_rows(30, 5)
    bad = data.draw(st.sets(st.integers(0, 29), max_size=20))
    broken = rows.copy()
    for row in bad:
        broken[row] = data.draw(st.sampled_from([np.nan, 0, np.inf]))
    columns = features(Columns(broken))
    assert set(np.flatnonzero(~columns.of(np.arange(30))[1])) == bad
    good = np.setdiff1d(np.arange(30), sorted(bad))
    assert np.allclose(whole(columns)[good], whole(features(Columns(rows[good]))), atol=1e-4)
    assert not whole(columns)[sorted(bad)].any()


def test_probabilities_of_zero_are_as_good_as_very_small_ones() -> None:
    p = np.array([[1, 0, 0], [0, 1, 0], [0.2, 0.3, 0.5]] * 20, np.float16)
    assert np.isfinite(whole(features(Columns(probabilities=p)))).all()


def test_a_source_in_half_the_width_and_of_several_blocks_reads_alike() -> None:
    rows = random_rows(BLOCK_ROWS + 7, 3).astype(np.float16)
    columns = features(Columns(rows, probabilities=np.abs(rows)))
    few = np.array([0, 5, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 6])
    assert columns.width == 6
    assert np.allclose(columns.of(few)[0], columns.of(np.arange(BLOCK_ROWS + 7))[0][few])


@given(
    st.integers(20, 60), st.booleans(), st.booleans(), st.sampled_from([4, 300]), st.integers(0, 99)
)
@pytest.mark.thorough
def test_scores_are_those_of_the_columns_by_the_weights_of_each_fold(
    images: int, embedded: bool, has_model: bool, numbers: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    rows = random_rows(images, numbers, seed)
    rows[chance.random(images) < 0.2] = np.nan
    model = chance.dirichlet([1.0, 1.0, 1.0], images).astype(np.float16)
    columns = features(
        Columns(rows if embedded or not has_model else None, model if has_model else None)
    )
    weights = chance.normal(size=(2, columns.width + 1, 5))
    folds = chance.integers(0, 2, images).astype(np.uint8)
    scores, usable = columns.scores(weights, folds)
    of_all, usable_by_columns = columns.of(np.arange(images))
    expected = np.einsum("ij,ijk->ik", of_all, weights[folds])
    assert np.array_equal(usable, usable_by_columns)
    assert np.allclose(scores, expected, atol=1e-3)


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=50))
def test_half_precision_is_read_as_numpy_reads_it(bits: list[int]) -> None:
    halves = np.array([bits], np.uint16).view(np.float16)
    assert np.array_equal(in_single_precision(halves), halves.astype(np.float32), equal_nan=True)
