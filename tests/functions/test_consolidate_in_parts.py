"""A run that is labeled in parts ends as it does in one piece, wherever it is cut."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.tiling.consensus import class_prior, em, worker_shrinkage
from tessera.tiling.label_parts import plan, whole
from tests.examples import examples
from tests.fakes import Files
from tests.functions.conftest import HOME, Run

ROOT = Path(__file__).parents[2]
CAT, DOG, INVALID = "cat", "dog", "invalid image"
SAMPLES = {em: 40, class_prior: 30, worker_shrinkage: 20}
"""Sizes of the samples at which a run of two hundred images is sampled, and counted in parts."""
WORKERS = ("ann", "bob", "cleo", "dan", "eve")


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    """Let no run with an answer be labeled in one piece, if it may be in parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UI_DIRECTORY", str(ROOT / "ui"))
        patch.setattr(plan, "MOST_WHOLE", -1)
        # a run in one piece goes without nothing, which its report would tell
        patch.setattr(whole, "left_out", lambda run: [])
        for module, size in SAMPLES.items():
            patch.setattr(module, "SAMPLE_IMAGES", size)
        yield


def line_of(number: int, chance: np.random.Generator) -> Any:
    """A line of the manifest: most are images, the others whatever there may be."""
    source = {"source-ref": f"s3://pets/{number}.jpg"}
    metadata = {"class-name": DOG, "type": "groundtruth/image-classification"}
    odd = [
        b"no JSON",
        b"",
        b"\xef\xbb\xbf" + msgspec.json.encode(source),
        b"\x1f\x8b packed",
        msgspec.json.encode(source | {"label": 1, "label-metadata": metadata}),
        msgspec.json.encode(source | {"gold": (CAT, DOG, INVALID)[number % 3]}) + b" \r",
        msgspec.json.encode(source | {"gold": DOG}),
    ]
    if number == 0:  # a manifest that begins like gzip is taken for it
        return source
    return source if chance.random() < 0.7 else odd[chance.integers(len(odd))]


def drawn(run: Run, images: int, rounds: int, seed: int) -> None:
    """Drop a manifest and have it labeled in some jobs: answers, failures and all."""
    chance = np.random.default_rng(seed)
    lines = [line_of(number, chance) for number in range(images)]
    run.manifest(*lines)
    asked = [i for i, line in enumerate(lines) if isinstance(line, dict) or b"gold" in line]
    later = [i for i in asked[1:] if isinstance(lines[i], dict) and chance.random() < 0.1]
    repeats = {i: int(chance.choice([a for a in asked if a < i])) for i in later}
    repeats = {i: first for i, first in repeats.items() if first not in repeats}
    rows = "".join(f"{i},{first}\n" for i, first in repeats.items())
    run.bucket.objects[f"{HOME}repeats.csv"] = f"index,first\n{rows}".encode()
    run.counts |= {"repeats": len(repeats), "gold": sum(b"gold" in line for line in lines
                                                       if isinstance(line, bytes))}  # fmt: skip
    run.settings |= {"answers_per_image": 2, "max_answers": 4}
    order = chance.permutation([i for i in asked if i not in repeats]).tolist()
    for round_ in range(1, rounds + 1):
        run.jobs.clear()
        for shard, start in enumerate(range(0, len(order), max(len(order) // 3, 1))):
            pages = [order[at : at + 7] for at in range(start, start + len(order) // 3, 7)]
            tasks = [(page, answers_to(page, round_, chance)) for page in pages if page]
            folder = run.job(*tasks, round_=round_, shard=shard, finished=chance.random() < 0.8)
            run.bucket.objects[f"{folder}iteration-1/0/a.json"] = response(tasks, chance)
        order = order[: len(order) // 2]


def answers_to(page: list[int], round_: int, chance: np.random.Generator) -> Any:
    """Answers of some workers to a page, of whom one may leave some out or answer what is not."""
    workers = chance.choice(WORKERS, 2 if round_ == 1 else 1, replace=False).tolist()
    return {
        worker: {
            str(image): INVALID if chance.random() < 0.1 else (CAT, DOG)[wrong ^ image % 2]
            for image, wrong in zip(page, (chance.random(len(page)) < 0.15).astype(int).tolist(),
                                    strict=True)
            if chance.random() < 0.97
        } | ({"99999": CAT} if chance.random() < 0.1 else {})
        for worker in workers
    }  # fmt: skip


def response(tasks: Any, chance: np.random.Generator) -> bytes:
    """A worker's response as the portal puts it, with pictures that did not load."""
    page = tasks[0][0] if tasks else []
    content = {str(image): {CAT: True, DOG: False, INVALID: False} for image in page[2:]}
    meta = {"unloaded": [str(image) for image in page[:2]], "seconds": {str(i): 1.5 for i in page}}
    answer = {
        "workerId": str(chance.choice(WORKERS)),
        "answerContent": content | {"meta": msgspec.json.encode(meta).decode()},
    }
    return msgspec.json.encode({"answers": [answer]})


def in_parts(run: Run, round_: int) -> dict[str, Any]:
    """Consolidate as the state machine does: the items of each stage, then the state again."""
    result = run.consolidate(round_, parts={"stage": ""})
    stages = []
    while result["outcome"] == "by-parts":
        parts = result["parts"]
        stages.append(parts["stage"])
        for item in reversed(range(parts["items"])):  # any order will do
            assert run.consolidate(round_, jobs=[], parts=parts | {"item": item}) == {}
        result = run.consolidate(round_, parts=parts)
    assert stages == list(plan.STAGES)
    return result


def files_of(run: Run) -> dict[str, bytes]:
    """The run's files by name, without what is kept between stages."""
    return {
        uri.removeprefix(HOME): content
        for uri, content in run.bucket.objects.items()
        if "/parts/" not in uri and uri.startswith(HOME)
    }


def assert_same(one: dict[str, bytes], parts: dict[str, bytes]) -> None:
    assert parts.keys() == one.keys()
    for name, content in one.items():
        assert parts[name] == content, name


@pytest.mark.thorough
@settings(max_examples=examples(12), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    images=st.integers(1, 220),
    rounds=st.integers(1, 3),
    seed=st.integers(0, 10_000),
    parts=st.integers(1, 9),
)
def test_a_run_in_parts_leaves_the_files_of_one_in_one_piece(
    images: int, rounds: int, seed: int, parts: int
) -> None:
    run = Run(Files())
    drawn(run, images, rounds, seed)
    before = copy.deepcopy(run.bucket.objects)

    whole = run.consolidate(rounds)
    one = files_of(run)
    run.bucket.objects = before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "PART_ANSWERS", -(-images * (rounds + 1) // parts))
        result = in_parts(run, rounds)

    assert result == whole
    assert_same(one, files_of(run))


def test_boxes_are_counted_in_parts_as_in_one_piece() -> None:
    run = Run(Files())
    run.settings = {"task": "verify", "labels": ["yes", "no"], "unreadable": "cannot tell"}
    boxes = [
        {"class_id": number % 2, "left": 10 * number, "top": 0, "width": 9, "height": 9}
        for number in range(3)
    ]
    line = {
        "source-ref": "s3://pets/1.jpg",
        "bounding-box": {"annotations": boxes, "image_size": [{"width": 64, "height": 48}]},
        "bounding-box-metadata": {"class-map": {"0": CAT, "1": DOG}},
    }
    run.manifest(*[line | {"source-ref": f"s3://pets/{number}.jpg"} for number in range(10)])
    run.counts["lines"] = 30
    labels = {str(image): ("yes", "no", "cannot tell")[image % 3] for image in range(30)}
    run.job((list(range(30)), {"ann": labels, "bob": labels}))
    before = copy.deepcopy(run.bucket.objects)
    whole = run.consolidate()
    one = files_of(run)
    assert run.report()["boxes"] == [
        {"class": CAT, "boxes": 20, "confirmed": 10, "refused": 0, "undecided": 10},
        {"class": DOG, "boxes": 10, "confirmed": 0, "refused": 10, "undecided": 0},
    ]
    run.bucket.objects = before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "PART_ANSWERS", 20)
        assert in_parts(run, 1) == whole
    assert_same(one, files_of(run))
