"""Keep what a release hands from part to part: `python -m scripts.release VERSION`.

A labeling job may be open for thirty days, and a deployment in between changes the code under it:
the execution goes on by the state machine that it began with, and calls today's functions, which
find the objects and items of the release before. What those are is kept in one file a release,
tests/releases/VERSION.json, and tests/releases/test_contract.py has today's code go on from it
(docs/decisions/deploying-under-open-jobs.md).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3

from events import record
from scripts.expressions import MACHINE
from tessera.stack import samples

RELEASES = record.ROOT / "tests" / "releases"


def snapshot() -> dict[str, Any]:
    """Return the machine, the sample events with their results, and the bucket and table then.

    Objects are text of their bytes, one character each; the table is that of an open job.
    """
    with record.world():
        record.answer("2-group-images")
        record.answer("3-open-job")
        items = boto3.client("dynamodb").scan(TableName=samples.NAME)["Items"]
        steps = sorted(path.name.split(".")[0] for path in record.EVENTS.glob("*.event.json"))
        return {
            "machine": MACHINE,
            "events": {step: record.event(step) for step in steps},
            "results": {step: record.result(step) for step in steps},
            # a page is taken from the run's folder as it is: no code of ours reads what it holds
            "objects": {
                key: content.decode("latin-1")
                for key, content in record.objects().items()
                if key.startswith("runs/") and not key.endswith(".html")
            },
            "items": items,
        }


def write(folder: Path, version: str) -> Path:
    """Write the snapshot of a release, and return its file."""
    path = folder / f"{version}.json"
    path.write_text(json.dumps(snapshot(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    print(write(RELEASES, sys.argv[1]))
