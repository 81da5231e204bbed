"""S3 and DynamoDB failing, throttling, or answering after the fact: nothing is lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.portal.ports import Ports
from tessera.portal.records import FULL, OPEN, Job
from tessera.portal.table_layout import read_counts
from tests.examples import examples
from tests.portal.world import World, answer_of


class Unreachable(ConnectionError):
    """A service that does not answer."""


class Flaky:
    """Passes calls on, failing some before they are made and some after: the answer gets lost."""

    def __init__(self, inner: Any, fails: Callable[[], str]) -> None:
        self._inner, self._fails = inner, fails

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name in {"writer", "list_uris", "iter_lines", "iter_chunks", "presign"}:
            return call

        def flaky(*args: Any, **options: Any) -> Any:
            when = self._fails()
            if when == "before":
                raise Unreachable(name)
            done = call(*args, **options)
            if when == "after":
                raise Unreachable(f"{name} was done, and its answer got lost")
            return done

        return flaky


class FlakyWorld(World):
    """A portal whose index and files fail now and then, as a seeded dice says."""

    dice: random.Random
    share: float = 0.0

    def fails(self) -> str:
        if self.dice.random() >= self.share:
            return ""
        return self.dice.choice(["before", "after"])

    @property
    def ports(self) -> Ports:
        return Ports(
            Flaky(self.table, self.fails),
            Flaky(self.files, self.fails),
            self.clock,
            self.invoke,
            self.executions.send_task_success,
        )

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """What the portal says in the end to one who asks until it answers."""
        for _ in range(200):
            try:
                return ask()
            except Unreachable:
                self.clock.wait(1)
            except PortalError as error:
                if error.status != 503:
                    raise
                self.clock.wait(1)
        raise AssertionError("the portal never answered")


def finish(world: FlakyWorld, job: Job, worker: str) -> set[tuple[int, str]]:
    """Work until there is nothing left; return what the worker was told is saved."""
    saved = set()
    while world.patiently(lambda: world.again(job)).status == OPEN:
        try:
            task = world.patiently(lambda: world.claim(job, worker))
        except PortalError:
            break
        if task is None:
            break
        world.clock.wait(5)
        assert world.patiently(partial(world.answer, job, worker, task)) == "saved"
        saved.add((task, worker))
    return saved


@pytest.mark.thorough
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.02, 0.1, 0.25]))
@settings(max_examples=examples(30), deadline=None)
def test_calls_that_fail_before_or_after_they_are_made_lose_and_double_nothing(
    seed: int, share: float
) -> None:
    world = FlakyWorld()
    world.dice = random.Random(seed)
    request = world.request(tasks=12, workers=2)
    world.share = share
    job = world.patiently(lambda: job_lifecycle.open_job(world.ports, request, "token"))
    saved: set[tuple[int, str]] = set()
    for worker in ("ann", "ben", "cid"):
        saved |= finish(world, job, worker)
        world.clock.wait(job.seconds + 100)  # a seat whose giver never heard back comes free
    saved |= finish(world, job, "dot") | finish(world, job, "eve")
    world.share = 0.0
    job_lifecycle.open_jobs(world.ports)  # whoever looks tells an execution that was not resumed
    stored = set(world.stored(job))
    assert saved <= stored
    assert len(stored) == 24
    assert read_counts(world.table, job).answered == 24
    assert world.again(job).status == FULL
    assert world.resumed[-1] == (
        "token",
        {"LabelingJobName": job.name, "LabelingJobStatus": "Completed"},
    )


@pytest.mark.parametrize("kept", ["table", "files"])
def test_nothing_is_said_to_be_saved_while_a_store_is_away(kept: str) -> None:
    world = FlakyWorld()
    world.dice = random.Random(1)
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    away = "files" if kept == "table" else "table"
    present = getattr(world, away)
    setattr(world, away, Flaky(present, lambda: "before"))
    for _ in range(3):
        path = f"/jobs/{job.name}/tasks/{task}/answer"
        assert world.ask("PUT", path, "ann", answer_of(job, task))[0] == 503
    setattr(world, away, present)
    assert world.answer(job, "ann", task) == "saved"
    assert len(world.stored(job)) == 1
    assert read_counts(world.table, job).answered == 1
