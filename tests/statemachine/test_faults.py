"""Try every fault of the matrix: nothing is lost, and nobody is asked twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tessera.runs.executions import Ending
from tessera.stack.local_stack import INBOX
from tests.statemachine.faults import FAULTS, IN_PART, NO_MODEL, Fault
from tests.statemachine.stage import EMBEDDING, Stage, wait_until
from tests.tessera.conftest import png

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PICTURES = ["cat-0.png", "dog-1.png", "cow-2.png"]


AT_ONCE = 3
"""Faults tried at the same time: each hits its own run alone."""


@dataclass(frozen=True)
class Survived:
    """Run that a fault hit: how it ended, how its redrop ended, and its files."""

    end: Ending
    again: Ending
    tries: int
    files: dict[str, bytes]


def survive(stage: Stage, name: str, fault: Fault) -> Survived:
    """Drop three pictures, let the fault happen, and drop them once more."""
    stage.lay_out(name, PICTURES, **(EMBEDDING if fault.function == "embed_images" else {}))
    for number, picture in enumerate(PICTURES):
        stage.put(f"s3://{INBOX}/{name}/{picture}", png(8, 8, 50 * number))
    stage.plan(fault.function, name, *fault.faults)
    if fault.seconds:
        with stage.timeout(fault.function, fault.seconds):
            started = stage.start(name)
            wait_until(lambda: not stage.planned(fault.function, name), f"{name} to happen")
    else:
        started = stage.start(name)
    end = stage.end(started)
    tries = len(fault.faults) - len(stage.planned(fault.function, name))
    stage.unplan(fault.function, name)
    again = stage.end(stage.start(name))
    return Survived(end, again, tries, stage.files(again.output["home"]))


@pytest.fixture(scope="module")
def survived(stage: Stage) -> dict[str, Survived]:
    """Try every fault of the matrix."""
    names = {fault.name: f"fault{number:02d}" for number, fault in enumerate(FAULTS)}
    # A changed timeout ends the function's running calls, other rows' too: those go first, alone.
    shorter = [fault for fault in FAULTS if fault.seconds]
    as_it_is = [fault for fault in FAULTS if not fault.seconds]
    runs: dict[str, Survived] = {}
    with stage.workers():
        for rows, at_once in ((shorter, 1), (as_it_is, AT_ONCE)):
            with ThreadPoolExecutor(at_once) as pool:
                ends = pool.map(lambda fault: survive(stage, names[fault.name], fault), rows)
                runs.update(zip((fault.name for fault in rows), ends, strict=True))
    return runs


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_as_the_matrix_says(survived: dict[str, Survived], fault: Fault) -> None:
    run = survived[fault.name]
    assert run.tries == fault.tries
    if fault.error:
        assert (run.end.status, run.end.error) == ("FAILED", fault.error)
    else:
        assert run.end.status == "SUCCEEDED", run.end.cause
    assert run.again.status == "SUCCEEDED", run.again.cause
    is_open = fault.error or fault.ends == IN_PART
    assert run.again.output["outcome"] == ("done" if is_open else "already-running")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_after_a_fault_nothing_is_lost_and_nothing_was_asked_twice(
    survived: dict[str, Survived], fault: Fault
) -> None:
    files = survived[fault.name].files
    trained = [json.loads(line) for line in files["training.manifest"].splitlines()]
    names = [line["label-metadata"]["class-name"] for line in trained]
    assert names == ["cat", "dog", "cow"]
    answers = files["answers.csv"].decode().splitlines()[1:]
    embeds = fault.function == "embed_images"
    asked = ["0", "0", "1", "1", "2", "2"] if embeds else ["0", "1", "2"]
    assert sorted(row.partition(",")[0] for row in answers) == asked
    assert ("embeddings.npy" in files) == (embeds and fault.ends != NO_MODEL)
    jobs = {name.split("/")[2] for name in files if name.startswith("round-1/jobs/")}
    assert len(jobs) == 1
