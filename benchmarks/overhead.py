"""What the machine adds to the people's time and price: seconds of its own, and the AWS bill.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/overhead.py [--quick]

The seconds are those of a local stack of its own: from the drop of a manifest until a worker has
the first page answered, and from the last answer until the run has ended. The answers between are
put into S3 as the portal would, because labeling is not what is measured here.

The bill is computed: requests to S3, DynamoDB, Lambda and the HTTP API are counted while the
portal's own code opens a job, deals and saves pages in memory, the rest is taken from the steps'
measured seconds, and both are scaled to a million images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tessera.portal.table_layout import read_job
from tessera.runs.executions import drop, read_ending, wait_for_execution
from tessera.simulation.workers import SimulatedWorker, add_worker
from tessera.stack.local_stack import LABELS, LocalStack, free_port
from tessera.tiling.estimate import LIST_PRICES, embedding_dollars
from tessera.tiling.run.job_names import parse_job_name
from tessera.tiling.run.jobs import tasks_name
from tests.portal.units import Labeling

MILLION = 1_000_000
DOLLARS = 5.0
"""The bill of a million images must stay below this, without the people and their pictures."""

LOG_BYTES, LOG_PRICE = 1_500, 0.50
"""Bytes of log an invocation writes, and dollars a GB of them."""

CLASSES = ("cat", "dog")
SETTINGS: dict[str, Any] = {"labels": list(CLASSES), "answers_per_image": 1, "max_answers": 1}

PRICED_AS_PUT = {"PutObject", "ListObjectsV2"}
"""Operations of S3 that cost as much as a put; all others cost as much as a get."""


class AlwaysCat(dict[str, str]):
    """What the worker says of any picture."""

    def __missing__(self, picture: str) -> str:
        """The same of all."""
        return "cat"


@dataclass(frozen=True)
class Took:
    """Seconds of a run's own, by step."""

    images: int
    to_first_page: float
    to_manifest: float
    steps: dict[str, float]


def until(holds: Callable[[], Any], what: str, seconds: float) -> Any:
    """What the condition gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if state := holds():
            return state
        time.sleep(0.05)
    raise SystemExit(f"waited {seconds:.0f} s in vain for {what}")


def timed(stack: LocalStack, images: int, a_page: int) -> Took:
    """Drop so many images, answer the first page by the portal's door and the rest in S3."""
    cloud = stack.cloud
    worker = SimulatedWorker(
        add_worker(cloud, "overhead@example.com"),
        cloud.portal_url,
        truth=AlwaysCat(),
        labels=CLASSES,
        error_rate=0.0,
        seed="",
        cognito=cloud.cognito_url,
        client_id=cloud.outputs["WorkerPoolClientId"],
    )
    worker.sign_in()
    folder = f"{cloud.outputs['Inbox']}/overhead"
    lines = "".join(f'{{"source-ref":"{folder}/{i:07d}.png"}}\n' for i in range(images))
    settings = json.dumps(SETTINGS | {"images_per_task": a_page}).encode()
    name = f"m{images}-{a_page}"
    began = time.monotonic()
    key = drop(cloud, lines.encode(), project="overhead", name=name, settings=settings)
    execution = wait_for_execution(cloud, key)
    prefix = f"overhead-{name}"

    def opened() -> list[str]:
        now = read_ending(cloud, execution)
        if now.status != "RUNNING":  # no job will come
            raise SystemExit(f"{images} images: {now.status} {now.error} {now.cause}")
        return [job for job in worker.open_jobs() if job.startswith(prefix)]

    (job,) = until(opened, "the job", 900)
    until(lambda: worker.answer_next(job), "the first page", 60)
    to_first_page = time.monotonic() - began
    answer_the_rest(stack, job)
    began = time.monotonic()
    last_answer(stack, job)
    end = until(
        lambda: (now := read_ending(cloud, execution)).status != "RUNNING" and now, "the end", 1800
    )
    to_manifest = time.monotonic() - began
    if end.status != "SUCCEEDED" or end.output["labeled"] != images:
        raise SystemExit(f"{images} images: {end.status} {end.error} {end.cause} {end.output}")
    return Took(images, to_first_page, to_manifest, step_seconds(stack, execution))


def answer_the_rest(stack: LocalStack, job: str) -> None:
    """Put an answer beside each task that has none, as the portal would."""
    storage, name = stack.cloud.storage, parse_job_name(job)
    assert name is not None, "jobs are named by the state machine"
    home = f"s3://{LABELS}/runs/{name.run}"
    lines = list(storage.iter_lines(f"{home}/{tasks_name(name.round, name.shard)}"))
    folder = f"{home}/round-1/jobs/{job}/annotations/worker-response/iteration-1"
    done = {uri.split("/")[-2] for uri in storage.list_uris(f"{folder}/")}

    def put(number: int) -> None:
        pictures = json.loads(json.loads(lines[number])["source"])
        choices = {str(p["index"]): {"cat": True, "dog": False} for p in pictures}
        answer = {
            "submissionTime": "2026-11-23T01:02:03.456Z",
            "timeSpentInSeconds": 40.0,
            "answerContent": choices,
            "workerId": "private.us-east-1.overhead",
        }
        document = json.dumps({"answers": [answer]}).encode()
        storage.put(f"{folder}/{number}/overhead.json", document)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, [n for n in range(len(lines)) if str(n) not in done]))


def last_answer(stack: LocalStack, job: str) -> None:
    """Tell the waiting execution what the last answer tells it."""
    ports = stack.cloud.ports
    for token in read_job(ports.table, job).tokens:
        ports.resume(token, {"LabelingJobName": job, "LabelingJobStatus": "Completed"})


def step_seconds(stack: LocalStack, execution: str) -> dict[str, float]:
    """How long each state of the execution took."""
    pages = (
        stack.cloud.client("stepfunctions")
        .get_paginator("get_execution_history")
        .paginate(executionArn=execution)
    )
    events = [event for page in pages for event in page["events"]]
    entered: dict[str, Any] = {}
    took: dict[str, float] = {}
    for event in events:
        if event["type"].endswith("StateEntered"):
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            took[name] = (event["timestamp"] - entered[name]).total_seconds()
    return took


# --- the bill -------------------------------------------------------------------------------------


def portal_units(pages: int) -> dict[str, float]:
    """Requests and units for one answer to a page, counted over so many pages of two answers."""
    labeling = Labeling(tasks=pages, answers=2, people=12)
    units = Counter({"S3 get": 0, "S3 put": 0})
    for operation, count in labeling.world.files.requests.items():
        units["S3 put" if operation in PRICED_AS_PUT else "S3 get"] += count
    units["DynamoDB write"] = sum(labeling.table.written.values())
    units["DynamoDB read"] = sum(labeling.table.read.values())
    units["HTTP API request"] = labeling.requests
    # a claim calls the pre-annotation Lambda besides
    units["Lambda request"] = labeling.requests + labeling.answers
    return {name: count / labeling.answers for name, count in units.items()}


def bill(took: Took, units: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Counts and dollars of a million images at 20 a page, two answers each, and a small round."""
    rounds = 1.2  # a fifth of the images is asked once more
    pages = MILLION / 20 * 2 + MILLION * 0.2 / 20
    scale = MILLION / took.images
    seconds = {
        "GroupImages": took.steps["GroupImages"] * scale * rounds * 1.0,
        "CloseJob": (took.to_manifest - took.steps["ConsolidateLabels"]) * scale * rounds * 1.73,
        "ConsolidateLabels": took.steps["ConsolidateLabels"] * scale * 2 * 2.94,
        "the portal": pages * units["HTTP API request"] * 0.1 * 1.0,
        "pages": pages * 0.05 * 0.25,
    }
    counts = {
        "HTTP API request": pages * units["HTTP API request"],
        "Lambda request": pages * units["Lambda request"],
        "Lambda GB-second": sum(seconds.values()),
        "DynamoDB write": pages * units["DynamoDB write"],
        "DynamoDB read": pages * units["DynamoDB read"],
        "S3 put": pages * units["S3 put"] + 2 * pages / 100 + 400,
        "S3 get": pages * (units["S3 get"] + 1) + 2 * pages / 100 + 1000,
        "Step Functions transition": 2 * 12,
    }
    dollars = {name: (count, count * LIST_PRICES[name]) for name, count in counts.items()}
    gigabytes = counts["Lambda request"] * LOG_BYTES / 1e9
    return dollars | {"log GB": (gigabytes, gigabytes * LOG_PRICE)}


def main() -> int:
    """Measure, print, and say whether the gate is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 and 2,000 images")
    options = parser.parse_args()
    sizes = [(200, 20), (2_000, 20)] if options.quick else [(200, 20), (10_000, 20), (MILLION, 100)]
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), free_port())
        stack.start()
        try:
            # a manifest of pictures that the stack does not show, or in no bucket, would be refused
            stack.deploy(ImageObjects="arn:aws:s3:::pictures/*")
            stack.cloud.client("s3").create_bucket(Bucket="pictures")
            timed(stack, 20, 20)  # the functions' processes are started once
            runs = [timed(stack, images, a_page) for images, a_page in sizes]
        finally:
            stack.stop(hard=True)
    print("## What the machine adds\n")
    print("| images | images a page | drop to first page answered | last answer to the end |")
    print("|---|---|---|---|")
    for run, (_, a_page) in zip(runs, sizes, strict=True):
        print(
            f"| {run.images:,} | {a_page} | {run.to_first_page:.1f} s | {run.to_manifest:.1f} s |"
        )
    counted = bill(runs[-1], portal_units(pages=50 if options.quick else 500))
    total = sum(dollars for _, dollars in counted.values())
    print(
        "\nThe bill of a million images on the portal, 20 a page, two answers each and a fifth of"
    )
    print("them once more, without the people and without sending the pictures:\n")
    print("| | counted | US dollars |\n|---|---|---|")
    for name, (count, dollars) in counted.items():
        print(f"| {name} | {count:,.{0 if count > 10 else 1}f} | {dollars:.2f} |")
    met = total < DOLLARS
    dollars = embedding_dollars(MILLION, "efficientnet-lite0")
    print(
        "\nA run that embeds its pictures itself, with `efficientnet-lite0`, adds "
        f"{dollars:.2f} USD by list prices."
    )
    print("\n| gate | must reach | measured | |\n|---|---|---|---|")
    print(
        f"| AWS for a million images | < {DOLLARS:.2f} USD | {total:.2f} USD "
        f"| {'met' if met else '**missed**'} |"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
