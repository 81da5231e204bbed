"""Gold images over pages: nobody sees one twice as long as there are others."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.records import FULL, Job
from tessera.tiling.workers.gold_uses import gold_uses_name, pack_gold_uses, read_gold_uses
from tests.examples import examples
from tests.portal.counted import Counted
from tests.portal.world import World
from tests.tiling.folder import grouped
from tests.tiling.folder import settings as tiling_settings


def job_with_gold(world: World, golds: int, per_task: int, tasks: int, workers: int) -> Job:
    """A job whose tasks have gold images in turn."""
    request = world.request(tasks=tasks, workers=workers)
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    uses = [[(task * per_task + n) % golds for n in range(per_task)] for task in range(tasks)]
    world.files.put(gold_uses_name(manifest), pack_gold_uses(uses))
    return job_lifecycle.open_job(world.ports, request, "token")


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("golds", "per_task"), [(40, 2), (30, 1), (60, 2)])
def test_no_gold_image_is_seen_twice_by_one_person_while_there_are_others(
    golds: int, per_task: int, workers: int
) -> None:
    world = World()
    job = job_with_gold(world, golds, per_task, tasks=200, workers=workers)
    people = [f"worker-{number}" for number in range(5)]
    seen: dict[str, Counter[int]] = {person: Counter() for person in people}
    for turn in range(golds // per_task * len(people)):
        person = people[turn % len(people)]
        task = world.take(job, person)
        seen[person].update((task * per_task + n) % golds for n in range(per_task))
        world.answer(job, person, task)
        world.clock.wait(3)
    # So many pages as each of them could have, every gold image came up once, and none twice.
    for person in people:
        assert set(seen[person].values()) == {1}
        assert len(seen[person]) == golds


@pytest.mark.thorough
@given(
    golds=st.integers(1, 12),
    per_task=st.integers(1, 3),
    tasks=st.integers(1, 30),
    workers=st.integers(1, 2),
)
@settings(max_examples=examples(25), deadline=None)
def test_a_job_with_few_gold_images_is_finished_all_the_same(
    golds: int, per_task: int, tasks: int, workers: int
) -> None:
    world = World(table=Counted())
    job = job_with_gold(world, max(golds, per_task), per_task, tasks, workers)
    for number in range(workers):
        assert sorted(world.work(job, f"worker-{number}")) == list(range(tasks))
    assert world.again(job).status == FULL


@pytest.mark.thorough
def test_a_claim_that_looks_for_other_gold_images_asks_the_table_no_oftener_than_twelve_times() -> (
    None
):
    world = World(table=Counted())
    job = job_with_gold(world, 40, 2, tasks=300, workers=2)
    for turn in range(150):
        worker = f"worker-{turn % 3}"
        world.table.count_anew()
        _, content = world.ask("POST", f"/jobs/{job.name}/claims", worker)
        assert world.table.calls.total() <= 12
        world.answer(job, worker, int(content["task"]))


def test_grouping_writes_the_gold_images_of_each_task_where_tasks_share_some() -> None:
    gold = b"".join(b'{"source-ref":"s3://known/%d.jpg","gold":"cat"}\n' % i for i in range(7))
    pets = b"".join(b'{"source-ref":"s3://pets/%d.jpg"}\n' % i for i in range(90))
    _, folder = grouped(pets + gold, tiling_settings(images_per_task=12, gold_per_task=3))
    expected = [
        frozenset(image["index"] for image in task if image["index"] >= 90)
        for task in folder.tasks()
    ]
    rows = read_gold_uses(folder.files["round-1/tasks-000.gold"], len(expected))
    assert rows == expected
    _, folder = grouped(pets + gold, tiling_settings(images_per_task=50, gold_per_task=1))
    assert "round-1/tasks-000.gold" not in folder.files
