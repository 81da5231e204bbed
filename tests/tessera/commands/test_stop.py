"""`tessera stop`: a run's jobs are closed with the answers so far, and what cannot be is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.commands.stop import OUTCOMES, stop
from tessera.portal.records import EXPIRED, FULL, OPEN, STOPPED
from tests.portal.world import World
from tests.tessera.conftest import FakeCloud, Labels


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The portal that the command's stack has."""
    world = World()
    monkeypatch.setattr(FakeCloud, "ports", world.ports)
    return world


def test_a_job_is_closed_and_a_second_time_it_stays_closed(
    world: World, labels: Labels, tessera: Any
) -> None:
    labels.run("pets-1")
    job = world.open(tasks=2)
    for _ in range(2):
        done = tessera(stop, job.name, "--yes", "--json")
        assert json.loads(done.stdout) == {"run": "pets-1", "jobs": {job.name: "stopped"}}
    assert world.again(job).status == STOPPED
    printed = tessera(stop, job.name, "--yes").stdout
    assert printed == f"{job.name} closed: its run goes on with the answers so far\n"


def test_each_end_of_a_job_has_a_sentence() -> None:
    assert {word.title() for word in OUTCOMES} == {FULL, STOPPED, EXPIRED}


def test_nothing_is_closed_without_a_yes(world: World, labels: Labels, tessera: Any) -> None:
    labels.run("pets-1")
    job = world.open(tasks=2)
    assert tessera(stop, job.name).exit_code != 0
    assert world.again(job).status == OPEN


def test_a_job_that_the_portal_does_not_know_is_named(
    world: World, labels: Labels, tessera: Any
) -> None:
    labels.run("pets-1")
    done = tessera(stop, "pets-1-r1-000", "--yes")
    assert "pets-1-r1-000 not closed: " in done.stdout


def test_a_run_without_jobs_names_the_command_that_tells_its_status(
    world: World, labels: Labels, tessera: Any
) -> None:
    labels.run("pets-1")
    done = tessera(stop, "pets-1", "--yes")
    assert "watch pets-1 --once" in " ".join(done.output.split())
