"""The order `similar`: pages of images whose embeddings are close."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tessera.tiling.grouping.similar as similar_module
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.grouping.later_round import group_later_round
from tessera.tiling.grouping.similar import rank_similar, read_rows
from tests.tiling.folder import Folder, manifest, settings

Rows = np.ndarray


def clusters(images: int, kinds: int, seed: int = 0) -> tuple[Rows, Rows]:
    """Embeddings of several kinds of pictures in a random order, and each one's kind."""
    chance = np.random.default_rng(seed)
    kind = chance.permutation(np.arange(images) % kinds)
    rows = np.eye(kinds, 16)[kind] * 3 + 0.1 * chance.normal(size=(images, 16))
    return rows.astype(np.float16), kind


def grouped(text: bytes, rows: Rows, **keys: Any) -> Folder:
    folder = Folder()
    chosen = settings(order="similar", **keys)
    group_manifest(lambda: [text], chosen, folder.create, io.BytesIO, embeddings=rows)
    return folder


@given(st.integers(1, 90), st.integers(1, 12), st.integers(0, 99))
def test_every_image_is_ranked_once(images: int, per_task: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(images, 4)).astype(np.float16)
    ranking = rank_similar(rows, np.arange(images), per_task)
    assert sorted(ranking.tolist()) == list(range(images))


@pytest.mark.parametrize("kinds", [2, 4, 8])
def test_a_page_has_one_kind_where_kinds_fill_pages(kinds: int) -> None:
    rows, kind = clusters(80, kinds)
    folder = grouped(manifest(80), rows, images_per_task=10)
    assert [len(task) for task in folder.tasks()] == [10] * 8
    assert all(len(set(kind[task].tolist())) == 1 for task in folder.indexes())


def test_pages_are_more_alike_than_those_of_any_other_order() -> None:
    rows, _ = clusters(1000, 30)
    unit = rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)

    def likeness(folder: Folder) -> float:
        return float(
            np.mean([(unit[t] @ unit[t].T).mean() for t in map(np.array, folder.indexes())])
        )

    other = Folder()
    group_manifest(lambda: [manifest(1000)], settings(), other.create, io.BytesIO)
    assert likeness(grouped(manifest(1000), rows)) > 0.5 > likeness(other)


@given(st.data())
def test_images_without_an_embedding_come_last_in_the_manifests_order(data: st.DataObject) -> None:
    rows, _ = clusters(30, 3)
    bad = sorted(data.draw(st.sets(st.integers(0, 24), max_size=20)))
    rows[bad] = 0
    ranking = rank_similar(rows[:25], np.arange(30), 5)
    missing = [*bad, *range(25, 30)]  # a file of fewer rows is refused once lines are counted
    assert ranking[-len(missing) :].tolist() == missing


def test_the_same_rows_give_the_same_bytes_also_with_noise_in_their_last_bits() -> None:
    rows, _ = clusters(400, 7)
    exact = rows.astype(np.float32)
    noisy = exact * (1 + 1e-7 * np.random.default_rng(1).normal(size=exact.shape))
    first = grouped(manifest(400), exact).files
    assert grouped(manifest(400), exact).files == first
    assert grouped(manifest(400), noisy.astype(np.float32)).files == first


def test_images_that_are_all_the_same_are_dealt_as_given() -> None:
    folder = grouped(manifest(40), np.ones((40, 3), np.float16))
    assert folder.indexes() == [list(range(20)), list(range(20, 40))]


def test_lines_that_are_rejected_have_a_row_which_is_not_anothers() -> None:
    rows, kind = clusters(60, 2)
    lines = manifest(60).splitlines(keepends=True)
    lines[3] = lines[30] = b"oops\n"
    folder = grouped(b"".join(lines), rows, images_per_task=10, bad_lines=0.5)
    mixed = [task for task in folder.indexes() if len(set(kind[task].tolist())) > 1]
    assert len(mixed) <= 1  # 58 images of two kinds do not fill pages of one


def test_many_images_are_ranked_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_module, "IMAGES_AT_ONCE", 20)
    monkeypatch.setattr(similar_module, "ROWS_AT_ONCE", 7)
    rows, _ = clusters(50, 5)
    ranking = rank_similar(rows, np.arange(50), 5).tolist()
    assert sorted(ranking[:20]) == list(range(20))
    assert sorted(ranking) == list(range(50))
    chosen = np.array([0, 6, 7, 8, 30, 49])
    assert np.array_equal(read_rows(rows, chosen), rows[chosen])


def test_a_later_round_keeps_workers_apart_and_alike_images_together() -> None:
    rows, kind = clusters(80, 4)
    unsure = [b"index,workers", *(b"%d,%b" % (i, b"ann" if i % 2 else b"bob") for i in range(80))]
    folder = Folder()
    chosen = settings(order="similar", images_per_task=5)
    read = lambda: [manifest(80)]  # noqa: E731  # short enough to be read in its place
    group_later_round(unsure, read, chosen, 2, folder.create, io.BytesIO, embeddings=rows)
    tasks = [
        [image["index"] for image in msgspec.json.decode(line["source"])]
        for line in folder.lines(0, 2)
    ]
    assert sorted(index for task in tasks for index in task) == list(range(80))
    assert all(len({index % 2 for index in task}) == 1 for task in tasks)
    mixed = [task for task in tasks if len(set(kind[task].tolist())) > 1]
    assert len(mixed) <= 4
