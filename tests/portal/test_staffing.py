"""Pages that nobody is left for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal.qualification import begin_anew
from tessera.portal.records import FULL, OPEN, AnswerStats, Job
from tessera.portal.staffing import (
    NOBODY_LEFT,
    pages_without_workers,
    people,
    short_pages,
    spare_pages,
)
from tessera.portal.table_layout import read_failures
from tessera.portal.worker_stats import stats_changes
from tessera.tiling.live_control import StopBelow
from tessera.tiling.onboarding.qualification import (
    RETRY_SECONDS,
    QualificationFile,
    qualification_name,
)
from tests.examples import examples
from tests.portal.test_qualification import PICTURES, RECORDS, qualify
from tests.portal.world import HOME, World


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


def open_with_tests(world: World, barred: list[set[str]]) -> Job:
    """Open a job of a later round whose workers must qualify, and may be stopped."""
    uri = qualification_name(f"{HOME}/round-1/tasks-000.manifest")
    world.files.put(uri, QualificationFile(RECORDS, PICTURES).encode())
    world.files.put(f"{HOME}/round-1/gold.csv", b"index,label\n0,cat\n")
    tags = {"tessera:qualify": "0.8", "tessera:stop-below": StopBelow(right=0.6, gold=6).encode()}
    return world.open_later_round(len(barred), dict(enumerate(barred)), 1, **tags)


def stop(world: World, job: Job, worker: str) -> None:
    """Note so many wrong answers to gold images that the worker gets no more pages."""
    added = {worker: AnswerStats(answers=6, images=6, gold=6)}
    world.table.write(*stats_changes(job, added, world.clock.now))


PASSED, FAILED_ONCE, FAILED, NEVER_TRIED, STOPPED = range(5)
THREE = ("ann", "ben", "cid")


@settings(max_examples=examples(30), deadline=None)
@given(
    st.tuples(*[st.integers(PASSED, STOPPED)] * len(THREE)),
    st.lists(st.sets(st.sampled_from(THREE)), min_size=1, max_size=4),
)
def test_a_run_never_waits_for_people_who_failed_or_were_stopped(
    states: tuple[int, ...], barred: list[set[str]]
) -> None:
    world = World()
    job = open_with_tests(world, barred)
    for worker, state in zip(THREE, states, strict=True):
        for _ in range({FAILED_ONCE: 1, FAILED: 2}.get(state, 0)):
            assert not qualify(world, job, 7, worker)[1]["passed"]
            world.clock.wait(RETRY_SECONDS)
        if state in (PASSED, STOPPED):
            assert qualify(world, job, 8, worker)[1]["passed"]
        if state == STOPPED:
            stop(world, job, worker)
    emails = Accounts(workers=[f"{name}@example.org" for name in THREE]).emails
    able = {name for name, state in zip(THREE, states, strict=True) if state < STOPPED} - {
        name for name, state in zip(THREE, states, strict=True) if state == FAILED
    }
    short = sum(not able - names for names in barred)
    assert pages_without_workers(world.ports, emails, [job.name]) == short
    if any(barred):  # only a later round's images have answers already
        assert dict(spare_pages(world.ports, emails)) == ({job.name: short} if short else {})
    for worker in able:
        qualify(world, job, 10, worker)  # those who failed once pass a day later
        while world.again(job).status == OPEN:
            status, claimed = world.ask("POST", f"/jobs/{job.name}/claims", worker)
            if status != 200:
                break
            world.answer(job, worker, int(claimed["task"]))
    waits = world.again(job).status == OPEN
    assert waits == (bool(short) and not any(barred))


def test_who_may_begin_anew_is_counted_again() -> None:
    world = World()
    job = open_with_tests(world, [{"ben"}])
    for _ in range(2):
        qualify(world, job, 2)
        world.clock.wait(RETRY_SECONDS)
    assert short_pages(world.ports, job, ["ann", "ben"]) == [0]
    assert begin_anew(world.ports, RECORDS, "ann")
    assert short_pages(world.ports, job, ["ann", "ben"]) == []


def test_a_page_in_the_hands_of_somebody_who_was_stopped_is_waited_for() -> None:
    world = World()
    job = open_with_tests(world, [{"ben"}, {"ben"}])
    qualify(world, job, 10)
    task = int(world.ask("POST", f"/jobs/{job.name}/claims")[1]["task"])
    stop(world, job, "ann")
    assert short_pages(world.ports, job, ["ann", "ben"]) == [1 - task]
    world.clock.wait(job.seconds + 61)
    assert short_pages(world.ports, job, ["ann", "ben"]) == [0, 1]
