"""A run's own pictures: each line in one block, and the blocks' rows joined as if made at once."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses import embedding_blocks
from tessera.tiling.guesses.embedding_blocks import (
    MOST_BLOCKS,
    MOST_LINES,
    Plan,
    join_blocks,
    pictures_name,
    plan_blocks,
    read_pictures,
    read_plan,
    rows_name,
    write_blocks,
    write_rows,
)
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.settings import read_settings
from tests.fakes import Files

HOME = "s3://labels/runs/pets/"
SETTINGS = read_settings(b'{"labels": ["cat", "dog"]}')
RULE = SourceRule(inbox="inbox", folder="pets/", labels="labels", objects=())
LINES = {
    "image": (b'{"source-ref": "s3://inbox/pets/%d.jpg"}', True),
    "gold": (b'{"source-ref": "s3://inbox/pets/%d.jpg", "gold": "cat"}', True),
    "foreign": (b'{"source-ref": "s3://inbox/theirs/%d.jpg"}', False),
    "labeled": (
        b'{"source-ref": "s3://inbox/pets/%d.jpg", "label": 0, "label-metadata": {}}',
        False,
    ),
    "broken": (b'{"source-ref": %d', False),
}
"""Kinds of lines, and whether the picture of such a line is embedded."""


def npy(rows: Any) -> bytes:
    file = io.BytesIO()
    write_rows(file, np.asarray(rows, np.float32))
    return file.getvalue()


@given(
    kinds=st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=30), size=st.integers(1, 9)
)
def test_every_line_is_in_one_block_and_only_images_name_their_picture(
    kinds: list[str], size: int
) -> None:
    files, plan = Files(), Plan("pixels", len(kinds), size)
    text = b"".join(LINES[kind][0] % number + b"\n" for number, kind in enumerate(kinds))
    write_blocks([text], SETTINGS, RULE, plan, lambda name: files.writer(HOME + name))
    assert read_plan(files, HOME) == plan
    names = [name for block in range(plan.blocks) for name in read_pictures(files, HOME, block)]
    assert names == [
        f"s3://inbox/pets/{number}.jpg" if LINES[kind][1] else ""
        for number, kind in enumerate(kinds)
    ]


@given(lines=st.integers(1, MOST_LINES))
def test_blocks_are_few_enough_for_a_history_and_hold_all_lines(lines: int) -> None:
    plan = plan_blocks("pixels", lines)
    assert 1 <= plan.blocks <= MOST_BLOCKS
    assert plan.rows(plan.blocks - 1).stop == lines
    assert plan.rows(0).start == 0
    # at 50 ms a picture, a function's 15 minutes hold two thirds more
    assert plan.block_lines * 0.05 < 900 / 1.6


def test_more_pictures_than_a_run_embeds_are_refused_with_what_to_do() -> None:
    with pytest.raises(EmbeddingsUnusable, match="tessera embed MANIFEST --encoder pixels"):
        plan_blocks("pixels", MOST_LINES + 1)


@given(data=st.data())
def test_the_blocks_rows_are_joined_as_if_they_had_been_made_at_once(data: st.DataObject) -> None:
    lines, size = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 12))
    plan, files = Plan("pixels", lines, size), Files()
    rows = np.random.default_rng(lines).normal(size=(lines, 5)).astype(np.float32)
    failed = data.draw(st.sets(st.integers(0, plan.blocks - 1), max_size=plan.blocks - 1))
    files.objects[HOME + embedding_blocks.PLAN_NAME] = msgspec.json.encode(plan)
    for block in range(plan.blocks):
        if block in failed:
            rows[plan.rows(block)] = 0
        else:
            files.objects[HOME + rows_name(block)] = npy(rows[plan.rows(block)])
    join_blocks(files, HOME)
    joined = np.load(io.BytesIO(files.objects[f"{HOME}embeddings.npy"]))
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    assert np.allclose(joined, rows / lengths, atol=2e-3)
    before = dict(files.objects)
    for block in failed:  # which is made after all: what a model has learned from stays
        files.objects[HOME + rows_name(block)] = npy(np.ones((size, 5)))
    join_blocks(files, HOME)
    assert files.objects[f"{HOME}embeddings.npy"] == before[f"{HOME}embeddings.npy"]


@pytest.mark.parametrize("content", [None, npy(np.zeros((3, 4)))])
def test_without_a_single_row_there_is_nothing_to_join(content: bytes | None) -> None:
    files = Files()
    files.objects[HOME + embedding_blocks.PLAN_NAME] = msgspec.json.encode(Plan("pixels", 3, 3))
    if content:
        files.objects[HOME + rows_name(0)] = content
    with pytest.raises(EmbeddingsUnusable):
        join_blocks(files, HOME)
    assert f"{HOME}embeddings.npy" not in files.objects


def test_names_of_blocks_sort_by_number() -> None:
    names = [pictures_name(block) for block in range(MOST_BLOCKS)]
    assert names == sorted(names)
