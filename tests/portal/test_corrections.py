"""Corrections: what a worker changes of an answer counts, and the first one is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.corrections import MAX_RECENT
from tessera.portal.errors import Unknown
from tessera.portal.output import write_output
from tessera.portal.records import Job
from tessera.portal.repair import repair
from tests.portal.world import World, answer_of


def correct(world: World, job: Job, task: int, label: str, worker: str = "ann") -> Any:
    """What the portal answers to a correction of both images."""
    path = f"/jobs/{job.name}/tasks/{task}/correction"
    return world.ask("PUT", path, worker, body=answer_of(job, task, label))


def chosen(answer: dict[str, Any], task: int) -> str:
    """The label of a task's first image."""
    choices = answer["answerContent"][str(task)]
    return next(str(label) for label, is_chosen in choices.items() if is_chosen)


def handed_over(world: World, job: Job) -> dict[tuple[str, str], str]:
    """The labels that leave the portal, by image and worker."""
    written = write_output(world.ports, world.again(job))
    manifest = world.files.get(written["LabelingJobOutput"]["OutputDatasetS3Uri"])
    labels = {}
    for line in manifest.splitlines():
        for response in json.loads(line).get(job.attribute, {}).get("responses", []):
            worker = response["workerId"].rpartition(".")[2]
            for image, choices in response["annotation"].items():
                if image != "meta":
                    labels[image, worker] = next(name for name in choices if choices[name])
    return labels


@given(st.lists(st.tuples(st.sampled_from("SC"), st.sampled_from(["cat", "dog", "cannot see"]))))
def test_the_last_correction_counts_and_a_resend_never_does(
    moves: list[tuple[str, str]],
) -> None:
    world = World()
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task, "cat")
    counts = "cat"
    for move, label in moves:
        if move == "S":  # the answer is sent once more, perhaps with other labels
            assert world.answer(job, "ann", task, label) == (
                "saved" if label == "cat" else "different"
            )
        else:
            assert correct(world, job, task, label)[0] == 200
            counts = label
    assert chosen(world.stored(job)[task, "ann"], task) == "cat"  # the first is kept
    assert handed_over(world, job) == {(str(task), "ann"): counts, (str(task + 2), "ann"): counts}


def test_a_correction_sent_twice_is_kept_once_and_each_change_is_kept(world: World) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task, "cat")
    for label in ("dog", "dog", "cat", "cat", "dog"):
        assert correct(world, job, task, label)[0] == 200
    kept = [json.loads(world.files.get(uri)) for uri in world.files.list_uris(job.corrections)]
    assert [chosen(content["answers"][0], task) for content in kept] == ["dog", "cat", "dog"]


def test_a_worker_is_shown_their_last_pages_and_what_counts_of_each(world: World) -> None:
    job = world.open(tasks=4)
    tasks = [world.take(job, "ann")]
    for _ in range(2):
        world.answer(job, "ann", tasks[-1])
        tasks.append(world.take(job, "ann"))
    status, content = world.ask("GET", f"/jobs/{job.name}/answers")
    assert (status, content["tasks"]) == (200, [str(tasks[1]), str(tasks[0])])
    correct(world, job, tasks[0], "dog")
    status, content = world.ask("GET", f"/jobs/{job.name}/tasks/{tasks[0]}/answer")
    assert status == 200
    assert content["choices"] == {f"{tasks[0]}-0": "dog", f"{tasks[0]}-1": "dog"}
    assert content["addresses"].keys() == content["choices"].keys()
    assert "crowd-form" in content["page"]


def test_the_last_page_is_listed_when_there_is_no_other(world: World) -> None:
    job = world.open(tasks=1, workers=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    assert world.claim(job, "ann") is None
    assert world.ask("GET", f"/jobs/{job.name}/answers")[1]["tasks"] == [str(task)]


def test_only_so_many_pages_are_remembered(world: World) -> None:
    job = world.open(tasks=MAX_RECENT + 5)
    done = world.work(job, "ann")
    listed = world.ask("GET", f"/jobs/{job.name}/answers")[1]["tasks"]
    assert listed == [str(task) for task in reversed(done[-MAX_RECENT:])]


@pytest.mark.parametrize("method", ["GET answer", "PUT correction"])
def test_nobody_sees_or_corrects_what_they_did_not_answer(world: World, method: str) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    verb, what = method.split()
    path = f"/jobs/{job.name}/tasks/{task}/{what}"
    body = answer_of(job, task, "dog") if verb == "PUT" else None
    assert world.ask(verb, path, "ben", body=body)[0] == 404
    assert world.ask(verb, f"/jobs/{job.name}/tasks/9/{what}", body=body)[0] == 404
    assert list(world.files.list_uris(job.corrections)) == []


def test_a_job_that_has_ended_takes_no_correction_and_says_so(world: World) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    job_lifecycle.stop(world.ports, job.name)
    status, content = correct(world, job, task, "dog")
    assert (status, content["outcome"]) == (409, "surplus")
    assert "can no longer be corrected" in content["message"]
    assert set(handed_over(world, job).values()) == {"cat"}


def test_a_wrong_correction_is_refused_and_nothing_is_kept(world: World) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    path = f"/jobs/{job.name}/tasks/{task}/correction"
    assert world.ask("PUT", path, body={"meta": "{}"})[0] == 400
    assert list(world.files.list_uris(job.corrections)) == []


def test_corrections_outlive_the_index(world: World) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    correct(world, job, task, "dog")
    repair(world.ports, world.again(job))
    assert set(handed_over(world, job).values()) == {"dog"}
    assert correct(world, job, task, "cannot see")[0] == 200
    assert set(handed_over(world, job).values()) == {"cannot see"}


def test_a_requester_sees_what_counts(world: World) -> None:
    job = world.open(tasks=2)
    task = world.take(job, "ann")
    world.answer(job, "ann", task)
    correct(world, job, task, "dog")
    status, content = world.ask(
        "GET", f"/jobs/{job.name}/tasks/{task}", "req", groups="[requesters]"
    )
    assert (status, content["answers"][0]["summary"]) == (200, "2 dog")


def test_somebody_who_never_worked_on_a_job_has_no_pages(world: World) -> None:
    job = world.open(tasks=2)
    assert world.ask("GET", f"/jobs/{job.name}/answers", "ben")[1] == {"tasks": []}
    with pytest.raises(Unknown):
        world.answer(job, "ben", 0)
