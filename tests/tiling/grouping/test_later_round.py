"""Later rounds: the unsure images, with those who have answered them."""

import io
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import LabelAttributeIllegal
from tessera.tiling.grouping import later_round, limits
from tessera.tiling.grouping.later_round import MIN_AVAILABLE_WORKERS, group_later_round
from tessera.tiling.grouping.task_file import Shard
from tessera.tiling.settings import Settings
from tessera.tiling.workers.exclusions import read_exclusions
from tessera.tiling.workers.first_offers import read_first_offers
from tessera.tiling.workers.skills import Skills
from tests.tiling.folder import Folder, manifest, settings

ROWS = st.dictionaries(
    st.integers(0, 199),
    st.lists(st.sampled_from(["ann", "bob", "cy", "dee"]), max_size=3, unique=True),
    max_size=120,
).map(lambda rows: dict(sorted(rows.items())))


def regrouped(
    rows: dict[int, list[str]],
    chosen: Settings,
    round_: int = 2,
    skills: Skills | None = None,
    labels: dict[int, list[str]] | None = None,
) -> tuple[tuple[Shard, ...], Folder]:
    folder = Folder()
    asked = {image: json.dumps(names).replace('"', '""') for image, names in (labels or {}).items()}
    unsure = [b"index,workers", *(f"{i},{' '.join(w)}".encode() for i, w in rows.items())]
    if labels is not None:
        unsure = [b"index,workers,labels"]
        unsure += [f'{i},{" ".join(w)},"{asked[i]}"'.encode() for i, w in rows.items()]
    text = manifest(200)
    pieces = [text[at : at + 999] for at in range(0, len(text), 999)]
    create = folder.create
    shards = group_later_round(
        unsure,
        lambda: pieces,
        chosen,
        round_,
        create,
        io.BytesIO,
        skills=skills,
        by_label=labels is not None,
    )
    return shards, folder


@given(rows=ROWS, size=st.integers(1, 30))
def test_every_unsure_image_is_asked_once_and_its_task_names_who_answered(
    rows: dict[int, list[str]], size: int
) -> None:
    shards, folder = regrouped(rows, settings(images_per_task=size))
    assert sum(shard.images for shard in shards) == len(rows)
    if not rows:
        assert (shards, folder.files) == ((), {})
        return
    asked = folder.tasks(round_=2)
    assert sorted(image["index"] for task in asked for image in task) == list(rows)
    assert len(asked) >= -(-len(rows) // size)
    everyone = {worker for workers in rows.values() for worker in workers}
    for line, task in zip(folder.lines(round_=2), asked, strict=True):
        answered = {worker for image in task for worker in rows[image["index"]]}
        assert set(line.get("answered-by", "").split()) == answered
        _assert_no_label_is_written_over(line)
        least = max(len(rows[image["index"]]) for image in task)
        assert len(answered) <= max(least, len(everyone) - MIN_AVAILABLE_WORKERS)
        assert all(image["source-ref"] == f"s3://pets/{image['index']}.jpg" for image in task)


def _assert_no_label_is_written_over(line: Mapping[str, Any]) -> None:
    """Check that settings refuse each key of a task's line as the key of its label."""
    for key in line:
        with pytest.raises(LabelAttributeIllegal):
            settings(label_attribute=key)


LABELS = ["cat", "dog", 'bird, "odd"']


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1), size=st.integers(1, 30))
def test_each_label_in_doubt_is_asked_once_and_no_page_asks_one_that_is_in_doubt_of_none(
    rows: dict[int, list[str]], seed: int, size: int
) -> None:
    chosen = settings(task="multi", labels=LABELS, images_per_task=size)
    bits = np.random.default_rng(seed).integers(1, 8, 200).tolist()
    doubts = {
        index: [name for bit, name in enumerate(LABELS) if bits[index] >> bit & 1] for index in rows
    }
    shards, folder = regrouped(rows, chosen, labels=doubts)
    lines, tasks = (folder.lines(round_=2), folder.tasks(round_=2)) if rows else ([], [])
    assert sum(shard.images for shard in shards) == len(rows)
    assert sorted(image["index"] for task in tasks for image in task) == list(rows)
    everyone = {worker for workers in rows.values() for worker in workers}
    for line, task in zip(lines, tasks, strict=True):
        assert len(task) <= size
        _assert_no_label_is_written_over(line)
        asked = json.loads(line.get("page_choices", json.dumps([*LABELS, "cannot see"])))
        assert asked[-1] == "cannot see"
        in_doubt = {name for image in task for name in doubts[image["index"]]}
        assert asked[:-1] == [name for name in LABELS if name in in_doubt]
        answered = {worker for image in task for worker in rows[image["index"]]}
        assert set(line.get("answered-by", "").split()) == answered
        least = max(len(rows[image["index"]]) for image in task)
        assert len(answered) <= max(least, len(everyone) - MIN_AVAILABLE_WORKERS)


def test_rows_without_labels_ask_all_of_them_and_so_does_a_page_that_shows_no_others() -> None:
    rows = {index: ["ann"] for index in range(5)}
    chosen = settings(task="multi", labels=LABELS)
    none: dict[int, list[str]] = {index: [] for index in rows}
    for labels in (None, dict.fromkeys(rows, LABELS), none):
        _, folder = regrouped(rows, chosen, labels=labels)
        assert "page_choices" not in folder.lines(round_=2)[0]


def test_images_that_the_same_workers_answered_share_tasks() -> None:
    rows = {i: ["ann", "bob"] if i % 2 else ["cy", "dee"] for i in range(80)}
    _, folder = regrouped(rows, settings())
    assert [line["answered-by"] for line in folder.lines(round_=2)] == [
        "ann bob",
        "ann bob",
        "cy dee",
        "cy dee",
    ]


def test_a_later_round_has_shards_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later_round, "MAX_SHARD_IMAGES", 50)
    rows: dict[int, list[str]] = {i: ["ann"] for i in range(120)}
    shards, folder = regrouped(rows, settings())
    assert [shard.images for shard in shards] == [50, 50, 20]
    monkeypatch.setattr(later_round, "MAX_SHARD_IMAGES", 2_000_000)
    monkeypatch.setattr(limits, "MAX_TASKS", 4)
    shards, folder = regrouped(rows, settings())
    assert all(shard.tasks <= 4 for shard in shards)
    times_asked: dict[int, int] = defaultdict(int)
    for shard in range(len(shards)):
        for task in folder.tasks(shard, round_=2):
            for image in task:
                times_asked[image["index"]] += 1
    assert dict(times_asked) == dict.fromkeys(range(120), 1)


def test_rows_out_of_order_are_an_error_not_a_loss() -> None:
    with pytest.raises(ValueError, match="indexes have to rise"):
        regrouped({5: ["ann"], 3: ["ann"]}, settings())


def test_workers_too_many_for_an_attribute_are_left_out() -> None:
    names = [f"private.eu-west-1.{i:040d}" for i in range(400)]
    _, folder = regrouped({1: names}, settings())
    assert "answered-by" not in folder.lines(round_=2)[0]
    assert json.loads(folder.lines(round_=2)[0]["source"])[0]["index"] == 1
    assert limits.MAX_ATTRIBUTE_CHARACTERS == 20_000


@given(rows=ROWS, size=st.integers(1, 30))
def test_the_exclusions_name_the_workers_of_each_task_as_its_line_does(
    rows: dict[int, list[str]], size: int
) -> None:
    _, folder = regrouped(rows, settings(images_per_task=size))
    name = "round-2/tasks-000.exclusions.json"
    lines = folder.lines(round_=2) if rows else []
    ranges = read_exclusions(folder.files.get(name, b"{}"), len(lines))
    excluded = {
        (task, worker)
        for worker, ends in ranges.items()
        for start, end in zip(ends[::2], ends[1::2], strict=True)
        for task in range(start, end)
    }
    assert excluded == {
        (task, worker)
        for task, line in enumerate(lines)
        for worker in line.get("answered-by", "").split()
    }
    assert (name in folder.files) == bool(excluded)


@pytest.mark.parametrize("tasks_a_job", [100_000, 3])
@pytest.mark.parametrize("images_a_shard", [2_000_000, 50])
def test_a_page_is_offered_first_to_who_knows_the_labels_that_its_images_may_have(
    monkeypatch: pytest.MonkeyPatch, tasks_a_job: int, images_a_shard: int
) -> None:
    monkeypatch.setattr(later_round, "MAX_SHARD_IMAGES", images_a_shard)
    monkeypatch.setattr(limits, "MAX_TASKS", tasks_a_job)
    # The first half of the images, in doubt about cats, was answered by others than the second.
    rows = {i: ["ann", "bob"] if i < 60 else ["cy", "dee"] for i in range(120)}
    cats, dogs = [0.9, 0.4], [0.4, 0.9]
    workers = {"ann": dogs, "bob": cats, "cy": cats, "dee": dogs, "eve": [0.1, 0.1]}
    doubts = np.array([[0.8, 0.2] if i < 60 else [0.2, 0.8] for i in rows], np.float32)
    skills = Skills(list(workers), np.array(list(workers.values())), np.array([0.2, 0.2]), doubts)
    shards, folder = regrouped(rows, settings(offer_to="best of 3"), skills=skills)
    for shard, counted in enumerate(shards):
        data = folder.files[f"round-2/tasks-{shard:03d}.offers"]
        offers = read_first_offers(data, counted.tasks)
        for number, task in enumerate(folder.tasks(shard, round_=2)):
            first = {
                name
                for name in (*workers, "stranger")
                if not (reserved := offers.reserved([name])) or not reserved[number]
            }
            best = "cy" if task[0]["index"] < 60 else "ann"
            assert first - set(rows[task[0]["index"]]) == {best}


def test_pages_for_anyone_have_no_order() -> None:
    skills = Skills(
        ["ann"], np.array([[0.9, 0.9]]), np.array([0.5, 0.5]), np.ones((3, 2), np.float32)
    )
    rows: dict[int, list[str]] = {1: ["bob"], 2: ["bob"], 3: []}
    for chosen, known in ((settings(), skills), (settings(offer_to="upper half"), None)):
        _, folder = regrouped(rows, chosen, skills=known)
        assert not [name for name in folder.files if name.endswith(".offers")]
