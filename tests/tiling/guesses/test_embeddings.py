"""Embeddings in stored files: read by ranges, checked at the door, copied for a run."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses.columns import MAX_COLUMNS, Columns, features
from tessera.tiling.guesses.embeddings import (
    MOST_NUMBERS,
    EmbeddingsFile,
    check_rows,
    copy_embeddings,
    open_embeddings,
)
from tests.fakes import Files

URI = "s3://inbox/pets/may.embeddings.npy"


def npy(rows: np.ndarray, **more: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, rows, **more)
    return file.getvalue()


def stored(content: bytes) -> Files:
    files = Files()
    files.put(URI, content)
    return files


def opened(rows: np.ndarray) -> EmbeddingsFile:
    return open_embeddings(stored(npy(rows)), URI)


def copied(rows: np.ndarray) -> np.ndarray:
    target = io.BytesIO()
    counts = copy_embeddings(opened(rows), target)
    target.seek(0)
    copy: np.ndarray = np.load(target)
    assert copy.shape == (counts.rows, counts.numbers)
    assert counts.usable == int(copy.any(axis=1).sum())
    return copy


def random_rows(images: int, numbers: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(images, numbers)).astype(np.float32)


@given(st.data(), st.sampled_from(["<f2", "<f4", ">f2", ">f4"]))
def test_a_slice_of_rows_is_the_one_that_numpy_reads(data: st.DataObject, kind: str) -> None:
    rows = random_rows(data.draw(st.integers(1, 40)), data.draw(st.integers(1, 9))).astype(kind)
    start, stop = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
    source = opened(rows)
    assert len(source) == len(rows)
    assert np.array_equal(source[start:stop], rows[start:stop])


@given(st.integers(1, 30), st.integers(1, 12), st.sampled_from([1e-3, 1, 1e30]))
def test_a_copy_has_the_directions_of_the_rows_whatever_their_length(
    images: int, numbers: int, length: float
) -> None:
    rows = random_rows(images, numbers) * np.float32(length)
    copy = copied(rows).astype(np.float32)
    unit = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    assert np.allclose(copy, unit, atol=2e-3)


def test_wide_rows_are_projected_and_keep_their_distances() -> None:
    # 20 dimensions in 600 numbers: nothing can be lost
    rows = random_rows(700, 20) @ random_rows(20, 600, seed=1)
    copy = copied(rows).astype(np.float32)
    assert copy.shape == (700, MAX_COLUMNS)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.linalg.norm(unit[0] - unit[1:], axis=1)
    assert np.allclose(np.linalg.norm(copy[0] - copy[1:], axis=1), expected, atol=5e-3)


@given(st.data())
def test_rows_without_an_embedding_become_zeros_and_are_counted(data: st.DataObject) -> None:
    rows = random_rows(30, 5)
    bad = data.draw(st.sets(st.integers(0, 29), max_size=29))
    for row in bad:
        rows[row, data.draw(st.integers(0, 4)) :] = data.draw(st.sampled_from([np.nan, np.inf]))
    zero = data.draw(st.sets(st.integers(0, 29), max_size=5)) - {min(set(range(30)) - bad)}
    rows[sorted(zero)] = 0
    copy = copied(rows)
    assert set(np.flatnonzero(~copy.any(axis=1))) == bad | zero


def test_a_file_without_a_single_embedding_is_refused() -> None:
    for value in (0, np.nan):
        with pytest.raises(EmbeddingsUnusable, match="all 3 rows are zeros or not numbers"):
            copied(np.full((3, 2), value, np.float32))


def test_a_model_learns_from_a_stored_file_as_from_an_array() -> None:
    rows = random_rows(9_000, 4).astype(np.float16)
    images = np.arange(0, 9_000, 7)
    of_file, of_array = (features(Columns(source)).of(images) for source in (opened(rows), rows))
    assert np.array_equal(of_file[0], of_array[0])


def test_no_more_than_a_block_is_read_at_a_time() -> None:
    files = stored(npy(random_rows(50_000, 64)))
    sizes: list[int] = []
    read = files.get_range

    def count(uri: str, start: int, end: int) -> bytes:
        sizes.append(end - start)
        return read(uri, start, end)

    files.get_range = count  # type: ignore[method-assign] # the fake, with a tally
    copy_embeddings(open_embeddings(files, URI), io.BytesIO())
    assert max(sizes) <= 8 * 1024 * 1024 < sum(sizes)


GOOD = npy(random_rows(8, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no NumPy array"),
        (b"PK\x03\x04 an archive", "is no NumPy array"),
        (b'{"source-ref": "s3://inbox/1.jpg"}\n', "is no NumPy array"),
        (GOOD[:20], "is no NumPy array"),
        (GOOD.replace(b"'shape': (8", b"'shape': [8"), "is no NumPy array"),
        (GOOD.replace(b"'descr': '<f4'", b"'descr': '__im'"), "is no NumPy array"),
        (npy(np.array([{}, None]), allow_pickle=True), "type object"),
        (npy(np.array([["a", "b"]])), "type <U1"),
        (npy(np.zeros((8, 4), np.int64)), "type int64"),
        (npy(np.zeros((8, 4))), "type float64"),
        (npy(np.zeros((8, 4), np.complex64)), "type complex64"),
        (npy(np.zeros((8, 4), [("a", "<f4")])), "type"),
        (npy(np.zeros(8, np.float32)), r"shape \(8,\)"),
        (npy(np.zeros((2, 2, 2), np.float32)), r"shape \(2, 2, 2\)"),
        (npy(np.zeros((0, 4), np.float32)), r"shape \(0, 4\)"),
        (npy(np.zeros((8, 0), np.float32)), r"shape \(8, 0\)"),
        (npy(np.asfortranarray(random_rows(8, 4))), "Fortran"),
        (npy(np.zeros((1, MOST_NUMBERS + 1), np.float16)), "numbers a row"),
        (GOOD[:-1], "was cut off"),
        (GOOD[: len(GOOD) // 2 + 40], "was cut off"),
        (GOOD + b"\0", "was cut off, or is still being written"),
    ],
)
def test_what_is_no_array_of_embeddings_is_refused_with_what_to_do(
    content: bytes, message: str
) -> None:
    with pytest.raises(EmbeddingsUnusable, match=message) as refusal:
        open_embeddings(stored(content), URI)
    assert URI in str(refusal.value)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_content_at_all_ends_in_another_error(noise: bytes, place: int) -> None:
    content = GOOD[:place] + noise + GOOD[place + len(noise) :]
    try:
        source = open_embeddings(stored(content), URI)
        copy_embeddings(source, io.BytesIO())
    except EmbeddingsUnusable:
        return
    assert source.shape[0] * source.shape[1] > 0


def test_a_file_that_is_missing_or_refused_is_told_apart() -> None:
    with pytest.raises(EmbeddingsUnusable, match="does not exist"):
        open_embeddings(Files(), URI)
    files = stored(GOOD)
    files.refused_buckets.add("inbox")
    with pytest.raises(EmbeddingsUnusable, match="S3 refuses it"):
        open_embeddings(files, URI)


def test_a_file_that_is_replaced_while_it_is_read_is_told() -> None:
    files = stored(npy(random_rows(8, 4)))
    source = open_embeddings(files, URI)
    files.put(URI, GOOD[:-8])
    with pytest.raises(EmbeddingsUnusable, match="changed while it was read"):
        source[0:8]


def test_a_file_of_other_lines_is_refused() -> None:
    check_rows(URI, 8, 8)
    for lines in (7, 9, 0):
        with pytest.raises(EmbeddingsUnusable, match=f"8 rows, and the manifest {lines} lines"):
            check_rows(URI, 8, lines)
