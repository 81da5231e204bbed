"""The orders: tasks as few and as even as the limits allow, and which images share one."""

import json
import re
from pathlib import Path
from typing import get_args

import click
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.group import group_command
from tessera.tiling.grouping.orders import ORDERS, RoundRobin
from tessera.tiling.settings import Order
from tests.tiling.folder import grouped, manifest, settings

DOCS = Path(__file__).parents[3] / "docs"


def test_every_order_of_the_settings_is_planned_offered_and_documented() -> None:
    assert tuple(ORDERS) == get_args(Order)
    (option,) = (option for option in group_command.params if option.name == "order")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(ORDERS)
    section = (DOCS / "manifests.md").read_text("utf-8").partition("### Orders\n")[2]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    assert re.findall(r"^\| `([a-z-]+)` \|", table[0], re.MULTILINE)[1:] == list(ORDERS)


@given(tasks=st.integers(1, 40), count=st.integers(1, 200))
def test_a_round_robin_is_the_same_tasks_as_a_consecutive_plan(tasks: int, count: int) -> None:
    positions = np.arange(0, 2 * count, 2, dtype=np.uint32)
    plan = RoundRobin(positions, tasks).as_consecutive()
    groups = np.split(plan.ranking, np.cumsum(plan.sizes)[:-1])
    assert [group.tolist() for group in groups] == [
        positions[task::tasks].tolist() for task in range(tasks)
    ]


@given(
    count=st.integers(1, 400),
    size=st.integers(1, 100),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel", "similar"]),
)
def test_tasks_are_as_few_and_as_even_as_can_be(count: int, size: int, order: str) -> None:
    summary, folder = grouped(manifest(count), settings(images_per_task=size, order=order))
    sizes = [len(task) for task in folder.tasks()]
    assert summary.shards[0].tasks == len(sizes) == -(-count // size)
    assert max(sizes) - min(sizes) <= 1


def test_long_names_cost_only_the_tasks_they_are_in() -> None:
    names = ["x" * 1000 if 400 <= i < 500 else str(i) for i in range(2000)]
    text = b"".join(
        b'{"source-ref":"s3://bkt/%s-%d"}\n' % (n.encode(), i) for i, n in enumerate(names)
    )
    spread, _ = grouped(text, settings(images_per_task=100))
    assert spread.shards[0].tasks == 20  # five long names to a task fit
    in_a_row, folder = grouped(text, settings(images_per_task=100, order="as-given"))
    assert in_a_row.shards[0].tasks == 25  # a hundred long names need six tasks, the others nothing
    assert folder.indexes()[0] == list(range(100))


def test_spread_is_the_round_robin_of_the_post() -> None:
    summary, folder = grouped(manifest(41), settings())
    assert folder.indexes() == [list(range(group, 41, 3)) for group in range(3)]
    assert folder.tasks()[0][0] == {"source-ref": "s3://pets/0.jpg", "index": 0}
    assert (summary.lines, summary.images, summary.shards[0].tasks) == (41, 41, 3)


def test_as_given_keeps_neighbors_together() -> None:
    _, folder = grouped(manifest(41), settings(order="as-given"))
    assert folder.indexes() == [list(range(14)), list(range(14, 28)), list(range(28, 41))]


def test_shuffle_follows_the_seed() -> None:
    first, again, other = (
        grouped(manifest(400), settings(order="shuffle", seed=seed))[1].indexes()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first != grouped(manifest(400), settings(order="as-given"))[1].indexes()


def test_by_prelabel_puts_alike_together_and_the_least_sure_first() -> None:
    guesses = [("dog", 0.9), ("cat", 0.8), ("dog", 0.2), (None, None), ("cat", None), ("cat", 0.1)]
    text = b"".join(
        json.dumps(
            {"source-ref": f"s3://bkt/{i}", "prelabel": name, "prelabel-confidence": sure}
        ).encode()
        + b"\n"
        for i, (name, sure) in enumerate(guesses)
    )
    _, folder = grouped(text, settings(order="by-prelabel", images_per_task=3))
    assert folder.indexes() == [[5, 1, 4], [2, 0, 3]]
    assert folder.tasks()[0][0] == {
        "source-ref": "s3://bkt/5",
        "index": 5,
        "prelabel": "cat",
        "prelabel-confidence": 0.1,
    }
