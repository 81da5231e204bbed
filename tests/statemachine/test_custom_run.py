"""Run custom tasks with a requester's own functions on the local stack; the functions fail, too."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from tessera.runs.executions import Ending
from tessera.simulation.workers import SimulatedWorker, at_work
from tessera.stack.local_stack import INBOX
from tests.statemachine import annotation, faulty
from tests.statemachine.stage import Stage, manifest_key

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PAGE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><p>{{ task.input.taskObject }}</p><crowd-input name="tag" label="Tag"></crowd-input>
</crowd-form>"""
SOURCES = ["one", "two", annotation.NOT_FOR_PEOPLE, "three"]
PREPARE, COLLECT = "annotation_prepare", "annotation_collect"
NEVER = "custom-collect-never"
FAULTS = {
    "custom-whole": (PREPARE, ()),
    "custom-prepare-throws": (PREPARE, ("throw",)),
    "custom-prepare-dies": (PREPARE, ("die",)),
    "custom-collect-throws": (COLLECT, ("throw",)),
    "custom-collect-dies": (COLLECT, ("die",)),
    "custom-collect-dies-after": (COLLECT, ("die-after",)),
    NEVER: (COLLECT, ("throw",) * 9),
}
"""Faults of the run of each manifest: which function of the requester's, and what happens to it."""
AT_ONCE = 3


class Tagger(SimulatedWorker):
    """Worker who enters their own address on every page."""

    def label_page(self, page: str) -> dict[str, Any]:
        """Return what the page's form submits."""
        return {"tag": self.account.email}


def add_functions(stage: Stage) -> dict[str, str]:
    """Add the requester's two functions to the stack; return their ARNs by what they do."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for module in (annotation, faulty):
            path = Path(str(module.__file__))
            package.write(path, path.name)
    like = stage.lambdas.get_function_configuration(FunctionName=stage.function("serve_portal"))
    return {
        name: stage.lambdas.create_function(
            FunctionName=stage.function(name),
            Runtime=like["Runtime"],
            Role=like["Role"],
            Handler="faulty.handler",
            Code={"ZipFile": buffer.getvalue()},
            Tags={"tessera-annotation": stage.cloud.stack_name},
            Environment={
                "Variables": {
                    "FAULTS": str(stage.folder / name),
                    "REAL_HANDLER": name.replace("_", "."),
                }
            },
        )["FunctionArn"]
        for name in (PREPARE, COLLECT)
    }


def tagger(stage: Stage, number: int) -> Tagger:
    """Return a worker of the stack who fills in pages."""
    worker = stage.worker(number)
    return Tagger(**{key.name: getattr(worker, key.name) for key in fields(worker)})


@dataclass(frozen=True)
class Survived:
    """Run of a manifest: how it ended, how its redrop ended, and its files."""

    end: Ending
    again: Ending
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def survived(stage: Stage) -> dict[str, Survived]:
    """Run each manifest to its end, and drop it once more when its functions do not fail."""
    arns = add_functions(stage)
    settings = {
        "task": "custom",
        "answers_per_image": 2,
        "pre_annotation": arns[PREPARE],
        "post_annotation": arns[COLLECT],
    }
    lines = [json.dumps({"source": source, "n": n}) + "\n" for n, source in enumerate(SOURCES)]

    def run(name: str) -> Survived:
        function, faults = FAULTS[name]
        stage.put(f"s3://{INBOX}/{name}/labeling.json", json.dumps(settings).encode())
        stage.put(f"s3://{INBOX}/{name}/page.liquid.html", PAGE.encode())
        stage.put(f"s3://{INBOX}/{manifest_key(name)}", "".join(lines).encode())
        stage.plan(function, name, *faults)
        end = stage.end(stage.start(name))
        stage.unplan(function, name)
        again = stage.end(stage.start(name))
        return Survived(end, again, stage.files(again.output["home"]))

    with at_work([tagger(stage, 0), tagger(stage, 1)]), ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(FAULTS, pool.map(run, FAULTS), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_custom_run_is_whole_or_can_be_gone_on_with(
    survived: dict[str, Survived], name: str
) -> None:
    run = survived[name]
    if name == NEVER:
        assert (run.end.status, run.end.error) == ("FAILED", "NothingLabeled")
        assert "answers that were given are kept" in run.end.cause
        assert "a fault on purpose" in run.end.cause
    else:
        assert (run.end.status, run.end.output["labeled"]) == ("SUCCEEDED", 3), run.end.cause
    assert run.again.output["outcome"] == ("done" if name == NEVER else "already-running")


@pytest.mark.parametrize("name", FAULTS)
def test_every_line_for_people_has_what_both_of_them_entered_and_nobody_was_asked_twice(
    survived: dict[str, Survived], name: str
) -> None:
    files = survived[name].files
    labeled = [json.loads(line) for line in files["training.manifest"].splitlines()]
    entered = ["worker-0@example.com", "worker-1@example.com"]
    assert [(line["source"], line["label"]) for line in labeled] == [
        (source, entered) for source in SOURCES if source != annotation.NOT_FOR_PEOPLE
    ]
    unlabeled = [json.loads(line) for line in files["unlabeled.manifest"].splitlines()]
    assert [line["source"] for line in unlabeled] == [annotation.NOT_FOR_PEOPLE]
    assert sum("worker-response" in key for key in files) == 2 * len(labeled)
