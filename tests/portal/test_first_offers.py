"""A page goes to some first and to anyone later; nobody waits for ever, and nobody is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle, leases
from tessera.portal.claims import Search
from tessera.portal.records import FULL, Job
from tessera.tiling.workers.first_offers import (
    encode_first_offers,
    first_offers_name,
    read_first_offers,
)
from tests.examples import examples
from tests.fakes import Table
from tests.portal.world import World

MINUTES = 10
WORKERS = ("ann", "ben", "cid", "dot")


def offered_job(
    world: World,
    tasks: int,
    first: Mapping[str, set[int]],
    *,
    others: Set[int] = frozenset(),
    excluded: Mapping[int, set[str]] | None = None,
) -> Job:
    """A job of a later round whose tasks these workers are offered first, and `others` those."""
    request = world.request(tasks, 1)
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    names = [f"private.us-east-1.{name}" for name in first]
    bits = [[task in chosen for task in range(tasks)] for chosen in (*first.values(), others)]
    rows = [np.packbits(np.array(row), bitorder="little").tobytes() for row in bits]
    world.files.put(first_offers_name(manifest), encode_first_offers(MINUTES * 60, names, rows))
    if excluded:
        lines = [json.loads(line) for line in world.files.get(manifest).splitlines()]
        for task, workers in excluded.items():
            lines[task]["answered-by"] = " ".join(f"private.us-east-1.{name}" for name in workers)
        world.files.put(manifest, "".join(json.dumps(line) + "\n" for line in lines).encode())
    return job_lifecycle.open_job(world.ports, request, "token")


def test_a_worker_gets_what_is_offered_to_them_first_and_after_ten_minutes_the_rest(
    world: World,
) -> None:
    job = offered_job(world, 40, {"ann": set(range(30)), "ben": {35, 36}})
    assert sorted(world.work(job, "ben")) == [35, 36]
    assert world.claim(job, "eve") is None  # of whom nothing is known
    world.clock.wait(MINUTES * 60 - 30)
    assert world.claim(job, "ben") is None
    world.clock.wait(60)
    assert world.take(job, "ann") in range(30)  # still their own ones first
    assert world.claim(job, "ben") is not None
    assert len(world.work(job, "eve")) > 30


def test_people_of_whom_nothing_is_known_have_an_order_of_their_own(world: World) -> None:
    job = offered_job(world, 20, {"ann": {1}}, others={2, 3})
    assert sorted(world.work(job, "eve")) == [2, 3]


def test_a_page_that_was_given_back_waits_for_those_it_is_offered_to(world: World) -> None:
    job = offered_job(world, 3, {"ann": {0, 1, 2}, "ben": set(), "cid": {0, 1, 2}})
    held = world.take(job, "ann")
    leases.give_back(world.ports, job, "ann", held)
    assert world.claim(job, "ben") is None
    world.clock.wait(30)
    assert sorted(world.work(job, "cid")) == [0, 1, 2]


def test_a_cursor_passes_no_page_that_is_for_the_worker_later(world: World) -> None:
    job = offered_job(world, 3, {"ann": {0, 1, 2}, "ben": set()})
    held = world.take(job, "ann")
    leases.give_back(world.ports, job, "ann", held)
    world.clock.wait(60)
    assert world.claim(job, "ben") is None
    world.clock.wait(MINUTES * 60)
    assert sorted(world.work(job, "ben")) == [0, 1, 2]


@pytest.mark.parametrize("garbled", [b"", b"[]", b'{"seconds": 60, "workers": ["ann"]}\n\1'])
def test_where_the_order_cannot_be_read_pages_are_for_anyone(world: World, garbled: bytes) -> None:
    job = offered_job(world, 5, {"ann": set(range(5))})
    world.files.put(job.offers, garbled)
    assert sorted(world.work(job, "ben")) == list(range(5))


def test_no_response_tells_who_is_offered_pages_first(world: World) -> None:
    """Whoever waits sees what they see while others hold every page, and no more."""

    def seen(first: Mapping[str, set[int]], taken_by: str) -> list[Any]:
        world = World()
        job = offered_job(world, 1, first)
        if taken_by:
            world.take(job, taken_by)
        claimed = world.ask("POST", f"/jobs/{job.name}/claims", "ben")
        headers = {name: text for name, text in world.headers.items() if name != "date"}
        return [claimed, headers, world.ask("GET", "/jobs", "ben"), world.ask("GET", "/me", "ben")]

    waiting, too_late = seen({"ann": {0}}, ""), seen({"ann": {0}, "ben": {0}}, "ann")
    assert waiting[0][0] == 204
    assert waiting == too_late
    job = offered_job(world, 2, {"ann": {0, 1}})
    world.work(job, "ann")
    for path in ("/jobs", f"/jobs/{job.name}"):
        response = json.dumps(world.ask("GET", path, "eve", groups='["requesters"]'))
        assert "offer" not in response


def test_the_order_survives_a_lost_index(world: World) -> None:
    job = offered_job(world, 4, {"ann": {0, 1, 2, 3}, "ben": {3}})
    world.table = Table()
    job_lifecycle.restore(world.ports, job.record)
    assert world.work(job, "ben") == [3]


@settings(max_examples=examples(40))
@given(
    first=st.fixed_dictionaries({name: st.sets(st.integers(0, 11)) for name in WORKERS}),
    others=st.sets(st.integers(0, 11)),
    barred=st.dictionaries(st.integers(0, 11), st.sets(st.sampled_from(WORKERS), max_size=3)),
    moves=st.lists(st.tuples(st.sampled_from([*WORKERS, "eve"]), st.integers(0, 120)), max_size=40),
)
def test_every_page_is_answered_and_nobody_has_another_s_too_soon(
    first: dict[str, set[int]],
    others: set[int],
    barred: dict[int, set[str]],
    moves: list[tuple[str, int]],
) -> None:
    world = World()
    job = offered_job(world, 12, first, others=others, excluded=barred)
    opened = world.clock()
    for worker, seconds in moves:
        world.clock.wait(seconds)
        if world.again(job).status == FULL:
            return
        task = world.claim(job, worker)
        if task is None:
            assert world.clock() < opened + MINUTES * 60 or not _left(world, job, worker, barred)
            continue
        assert worker not in barred.get(task, set())
        if world.clock() < opened + MINUTES * 60:
            assert task in first.get(worker, others)
        world.answer(job, worker, task)
    world.clock.wait(MINUTES * 60)
    for worker in ("eve", *WORKERS):
        if world.again(job).status != FULL:
            world.work(job, worker)
    assert world.again(job).status == FULL


def _left(world: World, job: Job, worker: str, barred: dict[int, set[str]]) -> set[int]:
    """Tasks that nobody has answered and that the worker may have."""
    answered = {task for task, _ in world.stored(job)}
    return {n for n in range(12) if n not in answered and worker not in barred.get(n, set())}


def test_a_claim_reads_no_more_for_an_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither requests nor searches grow with the pages that are for others."""
    searches: list[int] = []
    counted = Search.next_task

    def next_task(self: Search, position: str) -> Any:
        searches.append(len(self._passes()))
        return counted(self, position)

    monkeypatch.setattr(Search, "next_task", next_task)
    for tasks in (10, 1000):
        world = World()
        job = offered_job(world, tasks, {"ann": {tasks - 1}})
        world.files.requests.clear()
        assert world.claim(job, "ann") == tasks - 1
        assert world.files.requests.total() == 1  # the order, once
        assert world.claim(job, "eve") is None
        assert world.files.requests.total() == 1
    assert max(searches) == 1


@given(
    bits=st.lists(st.lists(st.booleans(), min_size=13, max_size=13), min_size=1, max_size=4),
)
def test_what_is_encoded_is_read_again(bits: list[list[bool]]) -> None:
    names = [f"w{number}" for number in range(len(bits) - 1)]
    rows = [np.packbits(np.array(row), bitorder="little").tobytes() for row in bits]
    offers = read_first_offers(encode_first_offers(60, names, rows), 13)
    for name, row in zip([*names, "somebody"], bits, strict=True):
        expected = b"" if all(row) else bytes(not bit for bit in row)
        assert offers.reserved([name]) == expected
