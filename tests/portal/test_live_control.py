"""Workers whose gold images are surely too often wrong get no more pages, and lose no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.records import Job
from tessera.tiling.live_control import StopBelow, decode_stop_below, stopped_workers
from tests.portal.world import HOME, World

BOUND = StopBelow(right=0.6, gold=6)


def job_with_gold(world: World, tasks: int = 20, bound: StopBelow = BOUND) -> Job:
    """A job in which every image is a gold image, and a cat."""
    world.files.put(
        f"{HOME}/round-1/gold.csv",
        b"index,label\n" + "".join(f"{n},cat\n" for n in range(2 * tasks)).encode(),
    )
    request = world.request(tasks)
    request["Tags"] = [{"Key": "tessera:stop-below", "Value": bound.encode()}]
    return job_lifecycle.open_job(world.ports, request, "token")


def pages_of(world: World, job: Job, worker: str, label: str) -> int:
    """The pages that a worker is given who answers all alike."""
    done = 0
    while (claimed := world.ask("POST", f"/jobs/{job.name}/claims", worker))[0] == 200:
        assert world.answer(job, worker, int(claimed[1]["task"]), label) == "saved"
        done += 1
    assert claimed[0] in {204, 409}
    return done


def test_a_worker_who_is_surely_below_the_bound_gets_no_more_pages_and_keeps_the_answers(
    world: World,
) -> None:
    job = job_with_gold(world)
    careless, honest = pages_of(world, job, "ann", "dog"), pages_of(world, job, "ben", "cat")
    assert (careless, honest) == (3, 20)  # six gold images: at least so many
    assert len([key for key in world.stored(job) if key[1] == "ann"]) == 3
    (summary,) = world.ask("GET", "/jobs", "ann")[1]["jobs"]
    assert (summary["stopped"], summary["left_for_you"]) == (True, 0)
    assert "stopped" not in world.ask("GET", "/jobs", "ben")[1]["jobs"][0]
    progress = world.ask("GET", f"/jobs/{job.name}", "eve", groups='["requesters"]')[1]
    assert [worker.get("stopped", False) for worker in progress["workers"]] == [True, False]


def test_a_page_in_hand_may_still_be_sent(world: World) -> None:
    job = job_with_gold(world)
    held = int(world.ask("POST", f"/jobs/{job.name}/claims", "ann")[1]["task"])
    showing = {"showing": [str(held)]}
    for _ in range(3):
        task = int(world.ask("POST", f"/jobs/{job.name}/claims", "ann", body=showing)[1]["task"])
        world.answer(job, "ann", task, "dog")
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 204
    assert world.answer(job, "ann", held, "cat") == "saved"


def test_nobody_is_stopped_where_no_bound_is_set(world: World) -> None:
    world.files.put(f"{HOME}/round-1/gold.csv", b"index,label\n0,cat\n1,cat\n")
    job = world.open(tasks=20)
    assert pages_of(world, job, "ann", "dog") == 20


@given(st.floats(0.01, 0.99), st.integers(5, 200), st.data())
def test_only_who_is_below_by_more_than_chance_is_stopped(
    right: float, least: int, data: st.DataObject
) -> None:
    rule = StopBelow(right=right, gold=least)
    gold = data.draw(st.integers(0, 500))
    correct = data.draw(st.integers(0, gold))
    if rule.is_surely_below(correct, gold):
        assert gold >= least
        assert correct / gold < right
        assert all(rule.is_surely_below(fewer, gold) for fewer in range(correct))


@pytest.mark.parametrize("tag", ["", "0.6", "x/12", "0.6/x", "/"])
def test_a_tag_that_is_no_bound_stops_nobody(tag: str) -> None:
    assert decode_stop_below(tag) is None
    assert decode_stop_below(BOUND.encode()) == BOUND


def test_a_report_names_who_was_stopped_by_the_rule_of_the_portal() -> None:
    workers = [
        {"worker": "ann", "gold_answers": 12, "gold_accuracy": 0.1667},
        {"worker": "ben", "gold_answers": 12, "gold_accuracy": 0.9167},
        {"worker": "cid", "gold_answers": 0, "gold_accuracy": None},
    ]
    assert stopped_workers(BOUND, workers) == ["ann"]
