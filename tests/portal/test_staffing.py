"""Pages that nobody is left for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.records import FULL, OPEN
from tessera.portal.staffing import NOBODY_LEFT, people, short_pages, spare_pages
from tessera.portal.table_layout import read_failures
from tests.portal.world import World


@given(st.integers(1, 3), st.integers(0, 4), st.data())
def test_a_page_is_short_of_workers_just_when_all_who_may_and_all_who_did_are_too_few(
    seats: int, accounts: int, data: st.DataObject
) -> None:
    world, people = World(), ["ann", "ben", "cid", "dot"]
    barred = data.draw(st.lists(st.sets(st.sampled_from(people)), min_size=3, max_size=3))
    job = world.open_later_round(3, dict(enumerate(barred)), seats)
    for worker in data.draw(st.sets(st.sampled_from(people))):
        if world.again(job).status == OPEN:
            world.work(job, worker)
    job, present = world.again(job), people[:accounts]
    answered = {number: set[str]() for number in range(3)}
    for task, worker in world.stored(job):
        answered[task].add(worker)
    expected = [
        number
        for number in range(3)
        if len((set(present) - barred[number]) | answered[number]) < seats
    ]
    assert short_pages(world.ports, job, present) == (expected if job.status == OPEN else [])


def test_a_round_that_anybody_may_answer_is_short_where_there_are_fewer_than_it_asks_for() -> None:
    world = World()
    job = world.open(tasks=2, workers=2)
    assert short_pages(world.ports, job, ["ann"]) == [0, 1]
    assert short_pages(world.ports, job, ["ann", "ben"]) == []


class Accounts:
    """Pool with accounts by group; all are listed without one."""

    def __init__(self, **groups: list[str]) -> None:
        self.groups = groups

    def emails(self, group: str = "") -> Iterator[tuple[str, str]]:
        names = self.groups.get(group, []) if group else chain(*self.groups.values())
        yield from ((name.partition("@")[0], name) for name in dict.fromkeys(names))


@pytest.mark.parametrize(
    ("team", "active", "expected"),
    [
        ("", [], ["ann", "ben"]),
        ("vets", [], ["ben"]),
        ("none", [], []),
        ("", ["simulated-2", "rita"], ["ann", "ben", "rita", "simulated-2"]),
    ],
)
def test_people_are_those_of_the_team_who_label(
    team: str, active: list[str], expected: list[str]
) -> None:
    pool = Accounts(
        workers=["ann@example.org", *(f"simulated-{n}@example.com" for n in range(5))],
        vets=["ben@example.org"],
        requesters=["rita@example.org"],
    )
    assert sorted(people(pool.emails, team, active=active)) == expected


@given(st.lists(st.sets(st.sampled_from(["ann", "ben"])), min_size=1, max_size=4), st.booleans())
def test_a_later_round_asks_no_page_that_nobody_is_left_for_and_ends_without_them(
    barred: list[set[str]], has_third: bool
) -> None:
    world = World()
    job = world.open_later_round(len(barred), dict(enumerate(barred)))
    names = ["ann@example.org", "ben@example.org", *(["cid@example.org"] if has_third else [])]
    emails = Accounts(workers=names).emails
    spared = dict(spare_pages(world.ports, emails))
    nobody = sum(names == {"ann", "ben"} for names in barred) if not has_third else 0
    assert spared == ({job.name: nobody} if nobody else {})
    assert dict(spare_pages(world.ports, emails)) == {}
    for worker in ("ann", "ben", "cid"):
        if world.again(job).status == OPEN:
            world.work(job, worker)
    assert world.again(job).status == FULL
    failures = read_failures(world.table, job.name, limit=9)
    assert [failure.reason for failure in failures] == [NOBODY_LEFT] * nobody


def test_a_first_round_waits_for_people() -> None:
    world = World()
    job = world.open(tasks=2, workers=2)
    emails = Accounts(workers=["ann@example.org"]).emails
    assert list(spare_pages(world.ports, emails)) == []
    assert world.again(job).status == OPEN
