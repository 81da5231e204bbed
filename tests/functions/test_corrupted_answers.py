"""One answer that is corrupted in any way changes no label of an image that it is not about.

Answers go the whole way: from the portal's objects through CloseJob's output, or as Ground Truth
hands them over, to the training manifest. Labels are by majority, which looks at each image alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.portal.output import write_output
from tessera.portal.records import Job
from tessera.tiling.answers.pack import collect
from tessera.tiling.label_run import label_run
from tessera.tiling.run.run import read_run
from tests.examples import examples
from tests.portal.world import COLLECT, HOME, ROOT, World

TASKS, WORKERS = 3, ("ann", "ben", "cid")
LABELS = ["cat", "dog", "cannot see"]
RESPONSES = f"{HOME}/round-1/jobs/pets-1-r1-000/annotations/worker-response/iteration-1/"

TOKENS = st.sampled_from(
    ["null", "true", "-1", "0.5", "1e999", "1" + "0" * 400, "NaN", '""', '"\\ud800"', '"cat"',
     "[]", "{}", "[{}]", "[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000,
     '"private.us-east-1.ben"', '{"cat":true,"dog":true}', '{"label":"dog"}', '"{\\"tiles\\":7}"',
     '{"4":{"dog":true},"1":{"dog":true},"0":{"dog":true}}', '"2026-13-40T99:00:00Z"',
     '"{\\"tiles\\":[{\\"id\\":\\"0\\",\\"dwell\\":1e300,\\"load\\":\\"error\\"}]}"',
     '{"annotatedResult":{"annotatedResult":[{}]}}']
)  # fmt: skip
"""Values in JSON that somebody's page, script or fault may leave."""
KEYS = st.sampled_from(["0", "4", "5", "1_0", " 0", "+0", "00", "٠", "-1", "1" * 5000, "meta", ""])
"""Keys, among them other images' and such as are numbers only to Python."""


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document."""
    paths = [path] if path else []
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            paths += places(value, (*path, key))
    return paths


@st.composite
def corruptions(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of one document in JSON: of its bytes, of a value or of a key anywhere in it."""
    kind = draw(
        st.sampled_from(["bytes", "cut", "flip", "value", "value", "value", "key", "twice"])
    )
    raw, where, token, key = (
        draw(st.binary(max_size=40)), draw(st.floats(0, 1)), draw(TOKENS), draw(KEYS),
    )  # fmt: skip

    def corrupt(content: bytes) -> bytes:
        place = int(where * (len(content) - 1))
        if kind == "bytes":
            return raw
        if kind == "cut":
            return content[:place]
        if kind == "flip":
            return content[:place] + raw[:1] + content[place + 1 :]
        if kind == "twice":
            return content + content
        document = json.loads(content)
        paths = places(document)
        *above, last = paths[int(where * (len(paths) - 1))]
        holder = document
        for step in above:
            holder = holder[step]
        if kind == "key" and isinstance(holder, dict):
            holder[key] = holder.pop(last)
            return json.dumps(document).encode()
        holder[last] = "here it was"
        return json.dumps(document).replace('"here it was"', token).encode()

    return corrupt


class Pack(World):
    """A portal whose answers are packed by the functions' own code."""

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        if arn == COLLECT:
            return json.loads(json.dumps(collect(event, self.files.get)[0]))
        return super().invoke(arn, event)


def answered() -> tuple[Pack, Job]:
    """A job that three people have answered, each with one dissent."""
    world = Pack()
    job = world.open(TASKS, workers=len(WORKERS))
    for number, worker in enumerate(WORKERS):
        for _ in range(TASKS):
            task = world.take(job, worker)
            world.clock.wait(10)
            world.answer(job, worker, task, "dog" if task == number else "cat")
    lines = [{"source-ref": f"s3://pets/{index}.jpg"} for index in range(2 * TASKS)]
    world.files.objects["s3://inbox/pets.manifest"] = b"".join(
        json.dumps(line).encode() + b"\n" for line in lines
    )
    return world, job


def labels(world: World) -> dict[str, str | None]:
    """The class of each image, or why it has none."""
    chosen = {"labels": LABELS, "method": "majority", "answers_per_image": 3, "max_answers": 3}
    record = {
        "run": "pets-1",
        "execution": "arn:1",
        "manifest": {"bucket": "inbox", "key": "pets.manifest"},
        "settings": chosen,
        "counts": {"lines": 2 * TASKS},
    }
    world.files.objects[f"{HOME}/run.json"] = json.dumps(record).encode()
    event = {
        "run": "pets-1", "home": f"{HOME}/", "round": 1, "execution": "arn:1",
        "jobs": [{"name": "pets-1-r1-000", "status": "Completed"}],
        "started": "2026-11-23T01:51:01.123Z",
    }  # fmt: skip
    run = read_run(world.files.get(f"{event['home']}run.json"), event)
    label_run(world.files, run, ROOT / "ui" / "report.liquid.html", lambda _: nullcontext())
    json.loads(world.files.objects[f"{HOME}/report.json"], parse_constant=pytest.fail)
    lines = world.files.objects[f"{HOME}/training.manifest"].splitlines()
    named = {
        line["source-ref"]: line["label-metadata"]["class-name"] for line in map(json.loads, lines)
    }
    return {f"s3://pets/{n}.jpg": named.get(f"s3://pets/{n}.jpg") for n in range(2 * TASKS)}


def of_other_tasks(labeled: dict[str, str | None], task: int) -> dict[str, str | None]:
    about = {f"s3://pets/{task}.jpg", f"s3://pets/{task + TASKS}.jpg"}
    return {source: label for source, label in labeled.items() if source not in about}


many = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.thorough
@many
@given(corruptions(), st.integers(0, TASKS - 1), st.sampled_from(WORKERS))
def test_an_answer_of_the_portal_corrupted_in_any_way_hurts_its_task_alone(
    corrupt: Callable[[bytes], bytes], task: int, worker: str
) -> None:
    world, job = answered()
    uri = f"{RESPONSES}{task}/{worker}.json"
    world.files.objects[uri] = corrupt(world.files.objects[uri])

    assert of_other_tasks(labels_after_closing(world, job), task) == of_other_tasks(whole(), task)


@cache
def whole() -> dict[str, str | None]:
    """The labels when nothing is corrupted."""
    return labels_after_closing(*answered())


def labels_after_closing(world: World, job: Job) -> dict[str, str | None]:
    write_output(world.ports, world.again(job))
    return labels(world)


@pytest.mark.thorough
@many
@given(corruptions(), st.integers(0, TASKS - 1))
def test_a_task_of_an_output_manifest_corrupted_in_any_way_hurts_itself_alone(
    corrupt: Callable[[bytes], bytes], task: int
) -> None:
    world, job = answered()
    write_output(world.ports, world.again(job))
    output = f"{HOME}/round-1/jobs/pets-1-r1-000/manifests/output/output.manifest"
    for uri in [uri for uri in world.files.objects if uri.startswith(RESPONSES)]:
        del world.files.objects[uri]  # from which it would be mended
    lines = world.files.objects[output].split(b"\n")
    # A line break in it is two lines, of which the second is another task's to the reader.
    lines[task] = re.sub(rb"[\r\n]", b" ", corrupt(lines[task]))
    world.files.objects[output] = b"\n".join(lines)

    assert of_other_tasks(labels(world), task) == of_other_tasks(whole(), task)


@many
@given(corruptions(), st.integers(0, TASKS - 1), st.integers(0, len(WORKERS) - 1))
def test_an_annotation_of_ground_truth_corrupted_in_any_way_takes_no_other_with_it(
    corrupt: Callable[[bytes], bytes], task: int, place: int
) -> None:
    def entry(number: int) -> dict[str, Any]:
        source = json.dumps([{"source-ref": f"s3://pets/{number}.jpg", "index": number}])
        content = {str(number): {"cat": True, "dog": False}, "meta": "{}"}
        return {
            "datasetObjectId": str(number),
            "dataObject": {"content": source},
            "annotations": [
                {"workerId": worker, "annotationData": {"content": json.dumps(content)}}
                for worker in WORKERS
            ],
        }

    payload = [entry(number) for number in range(TASKS)]
    event = {"labelAttributeName": "label"}
    expected, _ = collect(event | {"test_payload": payload}, pytest.fail)
    annotation = payload[task]["annotations"][place]
    try:
        payload[task]["annotations"][place] = json.loads(corrupt(json.dumps(annotation).encode()))
    except (ValueError, RecursionError):  # then the payload is none: Ground Truth's own affair
        return

    def fetch(uri: str) -> bytes:
        raise LookupError(uri)

    packed, odd = collect(event | {"test_payload": payload}, fetch)

    of_others = [one for one in packed if one["datasetObjectId"] != str(task)]
    assert of_others == [one for one in expected if one["datasetObjectId"] != str(task)]
    (own,) = [one for one in packed if one["datasetObjectId"] == str(task)]
    responses = own["consolidatedAnnotation"]["content"]["label"]["responses"]
    assert len(responses) + len(odd) == len(WORKERS)
    json.dumps(packed, allow_nan=False)
