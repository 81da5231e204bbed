"""Images that are nearly the same as an earlier one are asked once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tessera.tiling.grouping.near_duplicates as near_module
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.grouping.near_duplicates import NearDuplicateFinder
from tessera.tiling.training.known_labels import read_duplicates
from tests.tiling.folder import Folder, manifest, settings

Rows = np.ndarray


def bursts(images: int, burst: int, noise: float = 0.05, seed: int = 0) -> Rows:
    """Embeddings of pictures of which so many in a row are nearly the same."""
    chance = np.random.default_rng(seed)
    scenes = chance.normal(size=(-(-images // burst), 24))
    rows = np.repeat(scenes, burst, axis=0)[:images] + noise * chance.normal(size=(images, 24))
    return rows.astype(np.float16)


def grouped(text: bytes, rows: Rows, bound: float) -> tuple[Summary, Folder]:
    folder = Folder()
    chosen = settings(near_repeats=bound)
    summary = group_manifest(lambda: [text], chosen, folder.create, io.BytesIO, embeddings=rows)
    return summary, folder


def by_hand(rows: Rows, bound: float) -> dict[int, int]:
    """The same by the definition: each image with all before it that are asked."""
    unit = (
        rows.astype(float) / np.maximum(np.linalg.norm(rows.astype(float), axis=1), 1e-9)[:, None]
    )
    firsts: dict[int, int] = {}
    for later in range(len(rows)):
        for first in range(later):
            if first not in firsts and round(float(unit[first] @ unit[later]), 4) >= bound:
                firsts[later] = first
                break
    return firsts


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 50), st.integers(1, 9))
def test_near_duplicates_are_those_of_the_definition_in_blocks_of_any_size(
    images: int, burst: int, seed: int, block: int
) -> None:
    rows = bursts(images, burst, seed=seed)
    finder = NearDuplicateFinder(rows, 0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_module, "BLOCK", block)
        halves = np.split(np.arange(images), [images // 2])
        near = [finder.find(half) for half in halves]  # as two shards
    firsts = {
        int(half[position]): int(first)
        for half, part in zip(halves, near, strict=True)
        for position, first in zip(part.positions, part.first_indexes, strict=True)
    }
    assert firsts == by_hand(rows, 0.9)


def test_they_are_asked_once_and_listed_with_their_similarity() -> None:
    rows = bursts(60, 3)
    summary, folder = grouped(manifest(60), rows, 0.9)
    assert (summary.images, summary.repeats, summary.lines) == (20, 40, 60)
    asked = sorted(index for task in folder.indexes() for index in task)
    assert asked == list(range(0, 60, 3))
    head, *listed = folder.files["repeats.csv"].decode().split()
    assert head == "index,first,similarity"
    assert all(0.9 <= float(row.split(",")[2]) <= 1 for row in listed)
    assert read_duplicates([row.encode() for row in listed]) == {
        i: i - i % 3 for i in range(60) if i % 3
    }


def test_the_same_image_on_two_lines_follows_what_it_is_nearly_the_same_as() -> None:
    lines = manifest(3).splitlines(keepends=True)
    text = b"".join([lines[0], lines[1], lines[2], lines[1]])
    rows = np.array([[1, 0], [1, 0.01], [0, 1], [1, 0.01]], np.float16)
    summary, folder = grouped(text, rows, 0.99)
    assert (summary.images, summary.repeats) == (2, 2)
    assert read_duplicates(folder.files["repeats.csv"].splitlines()) == {1: 0, 3: 0}


def test_images_without_an_embedding_are_like_none() -> None:
    summary, _ = grouped(manifest(5), np.zeros((5, 3), np.float16), 0.5)
    assert summary.repeats == 0


def test_an_image_is_compared_with_those_of_the_window_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(near_module, "WINDOW", 2)
    monkeypatch.setattr(near_module, "BLOCK", 1)
    rows = np.eye(4, dtype=np.float16)[[0, 1, 2, 0, 2]]
    near = NearDuplicateFinder(rows, 0.9).find(np.arange(5))
    assert near.positions.tolist() == [4]
    assert near.first_indexes.tolist() == [2]
