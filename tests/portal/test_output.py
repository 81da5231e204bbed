"""The output tree of a closed job."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle, output
from tessera.portal.output import BATCH_BYTES, BATCH_TASKS, AnsweredTask, batches
from tessera.tiling.grouping.limits import MAX_TASKS, max_tasks
from tests.fakes import Files
from tests.portal.world import PREPARE, World
from tests.tiling.folder import settings


def test_every_line_is_in_the_output_in_order_with_its_label_or_as_it_came(world: World) -> None:
    request = world.request(tasks=20)
    job = job_lifecycle.open_job(world.ports, request)
    for worker in ("ann", "ben"):
        for _ in range(4):
            world.answer(job, worker, world.take(job, worker))
    described = job_lifecycle.close_job(world.ports, request)
    lines = world.files.get(described["LabelingJobOutput"]["OutputDatasetS3Uri"]).splitlines()
    before = world.files.get(job.manifest).splitlines()
    answered = {task for task, _ in world.stored(job)}
    assert len(lines) == len(before) == 20
    for number, (line, came) in enumerate(zip(lines, before, strict=True)):
        if number not in answered:
            assert line == came
            continue
        record = json.loads(line)
        assert record["source"] == json.loads(came)["source"]
        assert [a["workerId"][-3:] for a in record["label"]["responses"]] == ["ann", "ben"]
        assert record["label-metadata"]["job-name"] == job.name
    assert described["LabelingJobStatus"] == "Stopped"
    assert described["LabelCounters"]["HumanLabeled"] == len(answered) == 4
    assert described["LabelCounters"]["Unlabeled"] == 16


@dataclass
class OddFunction(World):
    """World whose post-annotation function answers for task 0 as it should, and oddly for more."""

    odd: Any = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Answer one task well."""
        if "payload" not in event:
            return super().invoke(arn, event)
        self.events.append(event)
        content = {event["labelAttributeName"]: {"n": 1}}
        return [
            {"datasetObjectId": 0, "consolidatedAnnotation": {"content": content}},
            self.odd,
        ]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "x",
        {},
        {"datasetObjectId": "1"},
        {"datasetObjectId": "1", "consolidatedAnnotation": {"content": "text"}},
    ],
)
def test_an_odd_entry_of_a_function_costs_its_own_task_the_label_and_no_other(odd: Any) -> None:
    world = OddFunction(odd=odd)
    request = world.request(tasks=2, workers=1) | {"RoleArn": "arn:aws:iam::1:role/answers"}
    job = job_lifecycle.open_job(world.ports, request)
    for _ in range(2):
        world.answer(job, "ann", world.take(job, "ann"))
    described = job_lifecycle.close_job(world.ports, request)
    lines = world.files.get(described["LabelingJobOutput"]["OutputDatasetS3Uri"]).splitlines()
    assert json.loads(lines[0])["label"] == {"n": 1}
    assert lines[1] == world.files.get(job.manifest).splitlines()[1]
    assert {event["roleArn"] for event in world.events} == {"arn:aws:iam::1:role/answers"}


@given(
    st.permutations(["missing", "twice", "disputed", "extra", "as it should be", "renamed"]),
    st.booleans(),
)
@example_settings(max_examples=10)
def test_whatever_a_function_returns_lines_are_as_many_and_each_keeps_its_name(
    kinds: list[str], reverse: bool
) -> None:
    def entry(number: object, **content: Any) -> Any:
        return {"datasetObjectId": number, "consolidatedAnnotation": {"content": content}}

    entries: list[Any] = []
    for number, kind in enumerate(kinds):
        label = {"label": {"n": number}}
        if kind != "missing":
            entries.append(entry(str(number), **label, **OWN_KEYS.get(kind, {})))
        if kind == "twice":
            entries.append(entry(number, **label))
        if kind == "disputed":
            entries.append(entry(str(number), label={"n": -1}))
        if kind == "extra":
            entries += [entry("99", **label), entry("-1", **label), entry("", **label)]
    world = Returning(entries=entries[::-1] if reverse else entries)
    request = world.request(tasks=len(kinds), workers=1)
    job = job_lifecycle.open_job(world.ports, request)
    for _ in kinds:
        world.answer(job, "ann", world.take(job, "ann"))
    described = job_lifecycle.close_job(world.ports, request)
    lines = world.files.get(described["LabelingJobOutput"]["OutputDatasetS3Uri"]).splitlines()
    tasks = world.files.get(job.manifest).splitlines()
    assert len(lines) == len(tasks)
    for number, (kind, line, task) in enumerate(zip(kinds, lines, tasks, strict=True)):
        pairs = json.loads(line, object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys))
        assert json.loads(line)["source"] == json.loads(task)["source"]
        is_labeled = kind not in {"missing", "disputed"}
        assert json.loads(line).get("label") == ({"n": number} if is_labeled else None)


@dataclass
class Returning(World):
    """World whose post-annotation function returns these entries, whatever it is asked."""

    entries: list[Any] = field(default_factory=list)

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Return the entries."""
        return super().invoke(arn, event) if arn == PREPARE else self.entries


OWN_KEYS: dict[str, Any] = {"renamed": {"source": "another picture", "weather": "rain"}}


@given(
    st.lists(st.sampled_from([0, 1, BATCH_BYTES // 3, BATCH_BYTES, 2 * BATCH_BYTES]), max_size=8)
)
def test_no_call_gets_more_than_it_can_take_unless_one_task_has_more(sizes: list[int]) -> None:
    tasks = [
        AnsweredTask(number, b"{}", [{"answerContent": "x" * size}] if size else [])
        for number, size in enumerate(sizes)
    ]
    calls = list(batches(tasks))
    assert [task for call in calls for task in call] == tasks
    for call in calls:
        assert len(call) == 1 or sum(sizes[task.number] for task in call) <= BATCH_BYTES


def test_a_call_gets_a_hundred_tasks_at_most() -> None:
    tasks = [AnsweredTask(number, b"{}", []) for number in range(250)]
    assert [len(call) for call in batches(tasks)] == [BATCH_TASKS, BATCH_TASKS, 50]


SMALL = {"PART_TASKS": 4, "BATCH_TASKS": 2}
"""Sizes by which a job of a few tasks has several parts."""


def write_small_parts(patch: pytest.MonkeyPatch) -> None:
    """Have an output written in so small parts that a test's job has several."""
    for name, size in SMALL.items():
        patch.setattr(output, name, size)


class Breaking(Files):
    """S3 that breaks off at its so manieth request, if it is told to."""

    left: int | None = None

    def _count(self, operation: str, uri: str) -> None:
        if self.left is not None:
            if self.left == 0:
                raise TimeoutError("broken off")
            self.left -= 1
        super()._count(operation, uri)


def closed_output(world: World, request: Any) -> bytes:
    described = job_lifecycle.close_job(world.ports, request)
    return world.files.get(described["LabelingJobOutput"]["OutputDatasetS3Uri"])


def answered_world(tasks: int, answers: int) -> tuple[World, Any]:
    world = World(files=Breaking())
    request = world.request(tasks=tasks)
    job = job_lifecycle.open_job(world.ports, request)
    for number in range(min(answers, 2 * tasks)):  # a full job takes no more
        worker = ("ann", "ben")[number % 2]
        if (task := world.claim(job, worker)) is not None:
            world.answer(job, worker, task)
    return world, request


@pytest.mark.thorough
@given(
    tasks=st.integers(1, 14),
    answers=st.integers(0, 20),
    breaks=st.lists(st.integers(0, 40), max_size=4),
)
def test_a_closing_that_broke_off_anywhere_gives_the_same_bytes_when_it_is_repeated(
    tasks: int, answers: int, breaks: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        write_small_parts(patch)
        whole = closed_output(*answered_world(tasks, answers))
        world, request = answered_world(tasks, answers)
        files = world.files
        assert isinstance(files, Breaking)
        for requests in breaks:
            files.left = requests
            with suppress(TimeoutError):
                closed_output(world, request)
        files.left = None
        assert closed_output(world, request) == whole


def test_a_repeated_closing_reads_no_answer_of_a_part_that_was_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_small_parts(monkeypatch)
    world, request = answered_world(tasks=12, answers=24)
    first = closed_output(world, request)
    answers = set(world.files.list_uris(f"{request['OutputConfig']['S3OutputPath']}/"))
    for uri in answers:
        if "/worker-response/" in uri:  # who needed one would fail; the listing has them all
            monkeypatch.setitem(world.files.objects, uri, b"not to be read")
    assert closed_output(world, request) == first


def test_a_job_that_got_more_answers_after_it_was_closed_has_them_in_its_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_small_parts(monkeypatch)
    world, request = answered_world(tasks=6, answers=3)
    first = closed_output(world, request)
    job = job_lifecycle.open_job(world.ports, request)
    world.work(job, "ann")
    second = closed_output(world, request)
    assert second != first
    for line in second.splitlines():
        responses = json.loads(line)["label"]["responses"]
        assert "ann" in {response["workerId"].rpartition(".")[2] for response in responses}


ANSWER_SECONDS, BATCH_SECONDS = 0.004, 0.45
"""Processor's seconds of an answer and of a batch that CloseJob reads and packs, at their worst: a
slow machine, TLS and all; benchmarks/scale.py measures both."""
BUDGET = 600.0
"""Seconds that closing the largest job may take of the 900 that the function has."""


@pytest.mark.parametrize("answers", range(1, 10))
def test_the_largest_job_is_closed_within_the_budget_however_many_answer_each_image(
    answers: int,
) -> None:
    chosen = settings(answers_per_image=answers, max_answers=9)
    tasks = max_tasks(chosen, answers)
    seconds = tasks * answers * ANSWER_SECONDS + tasks / BATCH_TASKS * BATCH_SECONDS
    assert seconds < BUDGET


@pytest.mark.parametrize("answers", range(1, 10))
def test_ten_million_images_fit_the_thousand_jobs_of_a_run(answers: int) -> None:
    chosen = settings(answers_per_image=answers, max_answers=9)
    pages = -(-10_000_000 // chosen.images_per_task)
    assert -(-pages // max_tasks(chosen, answers)) <= 1000
    assert max_tasks(chosen, answers) <= MAX_TASKS
