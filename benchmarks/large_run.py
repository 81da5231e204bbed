"""Takes a large run through a local stack of its own, from the drop to the training manifest.

    python benchmarks/large_run.py IMAGES [--by portal|storage] [--workers N] [--memory MB]

Prints a table of how long each step took; ends with 1 if an image got no label. The page has twenty
images, and each image two answers, of which a tenth is wrong where they are made here.

By `portal`, simulated workers claim and answer every page over HTTP, as fast as they can. By
`storage`, for sizes that they would need days for, each job ends without them; then the outputs
of all jobs but the last are put in place as CloseJob writes them, and the last job's answers as
the portal keeps them, so that CloseJob itself closes a job of the largest kind. ConsolidateLabels
and its parts then find what they would find on AWS.

With less `--memory` than the answers take (docs/limits.md), the consolidation goes by parts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.overhead import until
from benchmarks.scale import CLASSES, answered_line, response
from tessera.aws.storage import split_uri
from tessera.portal.errors import UnknownJob
from tessera.portal.table_layout import read_job
from tessera.runs.executions import drop, read_ending, wait_for_execution
from tessera.simulation.workers import SimulatedWorker, add_worker, at_work
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LABELS, LocalStack, free_port
from tessera.tiling.label_parts.plan import STAGES
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import tasks_name

ANSWERS = 2
SETTINGS = {"labels": list(CLASSES), "answers_per_image": ANSWERS, "max_answers": ANSWERS}
STEPS = ("GroupImages", "LabelShards", "ConsolidateLabels", "ConsolidateParts", "Announce")
"""States of the machine itself, not of its maps."""
HOURS = 3600.0
"""Seconds that any one step is waited for."""
WRITERS = 8
"""Answers that are put at a time: the embedded AWS takes no more of them with more."""
LEAST_FREE = 3_000_000
"""Kilobytes of free memory below which the run is given up: the embedded AWS keeps all objects in
memory, and others may need theirs."""
_INDEX = re.compile(rb'\\"index\\": ?(\d+)')


class Parity(dict[str, str]):
    """True labels by the name of a picture: its number is even or odd."""

    def __missing__(self, picture: str) -> str:
        """Return the label of one that nobody has looked up."""
        return CLASSES[int(picture.removesuffix(".png")) % 2]


def begin(cloud: Cloud, images: int) -> tuple[str, str, float]:
    """Drop the manifest; return the execution, the run's name and the second of the drop."""
    lines = b"".join(b'{"source-ref":"s3://pictures/%09d.png"}\n' % i for i in range(images))
    settings = json.dumps(SETTINGS).encode()
    began = time.monotonic()
    key = drop(cloud, lines, project="large", name=f"m{images}", settings=settings)
    execution = wait_for_execution(cloud, key)
    return execution, f"large-m{images}", began


def wait(cloud: Cloud, execution: str, holds: Callable[[], Any], what: str) -> Any:
    """Return what the condition gives once it gives something; end if the run or memory does."""

    def look() -> Any:
        ending = read_ending(cloud, execution)
        if ending.status not in ("RUNNING", "SUCCEEDED"):
            raise SystemExit(f"{ending.status} {ending.error} {ending.cause}")
        free = int(re.findall(r"MemAvailable: +(\d+)", Path("/proc/meminfo").read_text())[0])
        if free < LEAST_FREE:
            raise SystemExit(f"given up: {free // 1000} MB of memory are free")
        time.sleep(0.5)  # as often as an execution is worth looking at, which takes minutes
        return holds()

    return until(look, what, HOURS)


def wait_for_run(cloud: Cloud, execution: str, prefix: str) -> tuple[str, int]:
    """Return the run's folder and the number of its jobs once it is grouped."""

    def grouped() -> tuple[str, int] | None:
        for uri in cloud.storage.list_uris(f"s3://{LABELS}/runs/{prefix}"):
            if uri.endswith("/run.json"):
                record = json.loads(cloud.storage.get(uri))
                if rounds := record.get("rounds"):
                    return uri.removesuffix("run.json"), int(rounds[0]["shards"])
        return None

    folder: tuple[str, int] = wait(cloud, execution, grouped, "the grouping")
    return folder


# ── By storage ───────────────────────────────────────────────────────────────────────────────────


def images_of(line: bytes) -> list[int]:
    """Return the images of a task's line."""
    return [int(index) for index in _INDEX.findall(line)]


def label_by_storage(cloud: Cloud, execution: str, prefix: str) -> dict[str, float]:
    """End the run's jobs with answers that are put in place; return what took how long."""
    home, shards = wait_for_run(cloud, execution, prefix)
    run, began = home.rstrip("/").rpartition("/")[2], time.monotonic()
    jobs = [job_name(run, 1, shard) for shard in range(shards)]
    ended: set[str] = set()

    def all_but_the_last() -> bool:
        for job in jobs[:-1]:
            if job not in ended and end_job(cloud, job):
                ended.add(job)
        outputs = [uri for uri in cloud.storage.list_uris(f"{home}round-1/jobs/")]
        return sum(uri.endswith("/output.manifest") for uri in outputs) == shards - 1

    wait(cloud, execution, all_but_the_last, "the jobs")
    seconds = {"jobs opened, and closed without an answer": time.monotonic() - began}
    began = time.monotonic()
    for shard, job in enumerate(jobs[:-1]):
        put_output(cloud, home, shard, job)
    put_answers(cloud, home, shards - 1, jobs[-1])
    seconds["answers put in place, which is no step of a run"] = time.monotonic() - began
    began = time.monotonic()
    wait(cloud, execution, lambda: end_job(cloud, jobs[-1]), "the last job")
    output = f"{output_folder(home, jobs[-1])}/manifests/output/output.manifest"
    wait(cloud, execution, lambda: cloud.storage.size(output), "the last job's output")
    return seconds | {"the last job closed, by CloseJob": time.monotonic() - began}


def end_job(cloud: Cloud, job: str) -> bool:
    """Tell the executions that wait for a job that it is over; return whether one does."""
    try:
        tokens = read_job(cloud.ports.table, job).tokens
    except UnknownJob:
        return False
    for token in tokens:
        cloud.ports.resume(token, {"LabelingJobName": job, "LabelingJobStatus": "Completed"})
    return bool(tokens)


def output_folder(home: str, job: str) -> str:
    """Return the folder of a job's output."""
    return f"{home}round-1/jobs/{job}"


def put_output(cloud: Cloud, home: str, shard: int, job: str) -> None:
    """Put a job's output with made-up answers to every task."""
    chance, storage = np.random.default_rng(shard), cloud.storage
    uri = f"{output_folder(home, job)}/manifests/output/output.manifest"
    with storage.writer(uri) as output:
        for line in storage.iter_lines(f"{home}{tasks_name(1, shard)}"):
            output.write(answered_line(line, images_of(line), ANSWERS, chance))


def put_answers(cloud: Cloud, home: str, shard: int, job: str) -> None:
    """Put an answer of two workers to every task of a job, as the portal keeps them."""
    folder = f"{output_folder(home, job)}/annotations/worker-response/iteration-1"
    lines = enumerate(cloud.storage.iter_lines(f"{home}{tasks_name(1, shard)}"))

    def put(task: tuple[int, bytes]) -> None:
        number, line = task
        for worker in range(ANSWERS):
            document = response(images_of(line), worker)
            cloud.storage.put(f"{folder}/{number}/{worker:012d}.json", document)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(put, lines))


# ── By the portal ────────────────────────────────────────────────────────────────────────────────


def crew_of(cloud: Cloud, size: int) -> list[SimulatedWorker]:
    """Return simulated workers who err on every tenth image."""
    return [
        SimulatedWorker(
            add_worker(cloud, f"large-{number}@example.com"),
            cloud.portal_url,
            truth=Parity(),
            labels=CLASSES,
            error_rate=0.1,
            seed=str(number),
            cognito=cloud.cognito_url,
            client_id=cloud.outputs["WorkerPoolClientId"],
        )
        for number in range(size)
    ]


def label_by_portal(cloud: Cloud, execution: str, prefix: str, size: int) -> dict[str, float]:
    """Have simulated workers answer every page; return what took how long."""
    wait_for_run(cloud, execution, prefix)
    began, crew = time.monotonic(), crew_of(cloud, size)
    with at_work(crew):
        wait(cloud, execution, lambda: consolidates(cloud, execution), "the answers")
    seconds = time.monotonic() - began
    answered = sum(worker.answered for worker in crew)
    print(
        f"{size} simulated workers answered {answered:,} pages, {answered / seconds:.1f} a second."
    )
    return {f"{answered:,} pages answered over HTTP, and their jobs closed": seconds}


def consolidates(cloud: Cloud, execution: str) -> bool:
    """Return whether the execution is past its jobs."""
    return any(name == "ConsolidateLabels" for name, _ in steps_of(cloud, execution))


# ── What came of it ──────────────────────────────────────────────────────────────────────────────


def steps_of(cloud: Cloud, execution: str) -> list[tuple[str, float]]:
    """Return the steps of the machine in their order, with the seconds that each took so far."""
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history")
    entered: list[tuple[str, Any]] = []
    last = None
    for page in pages.paginate(executionArn=execution):
        for event in page["events"]:
            last = event["timestamp"]
            if event["type"].endswith("StateEntered"):
                name = event["stateEnteredEventDetails"]["name"]
                if name in STEPS:
                    entered.append((name, last))
    ends = [*(began for _, began in entered[1:]), last]
    return [
        (name, (end - began).total_seconds())
        for (name, began), end in zip(entered, ends, strict=False)
    ]


def named_steps(steps: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield the steps with the stage of each turn of the parts, which have an order."""
    stages = iter(STAGES)
    for name, seconds in steps:
        yield (f"{name}: {next(stages)}" if name == "ConsolidateParts" else name, seconds)


def right(manifest: Path) -> Iterator[bool]:
    """Yield of each line of the training manifest whether its label is right.

    It is read from the disk: the embedded AWS would need its size in memory once more.
    """
    number = re.compile(rb"/(\d{9})\.png")
    with manifest.open("rb") as lines:
        for line in lines:
            match = number.search(line)
            assert match is not None, line
            wanted = CLASSES[int(match[1]) % 2].encode()
            yield b'"class-name":"%b"' % wanted in line.replace(b'": "', b'":"')


def main() -> int:
    """Run, print, and say whether every image got its label."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("images", type=int)
    parser.add_argument("--by", choices=("portal", "storage"), default="storage")
    parser.add_argument("--workers", type=int, default=8, help="simulated workers, by portal")
    parser.add_argument(
        "--memory", type=int, default=3008, help="MB of ConsolidateLabels, from 1769"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), free_port())
        stack.start()
        try:
            stack.deploy(
                ImageObjects="arn:aws:s3:::pictures/*", ConsolidationMemory=str(options.memory)
            )
            stack.cloud.client("s3").create_bucket(Bucket="pictures")
            return take(stack, options)
        finally:
            stack.stop(hard=True)


def take(stack: LocalStack, options: argparse.Namespace) -> int:
    """Take the run through the stack."""
    cloud = stack.cloud
    execution, prefix, began = begin(cloud, options.images)
    if options.by == "portal":
        seconds = label_by_portal(cloud, execution, prefix, options.workers)
    else:
        seconds = label_by_storage(cloud, execution, prefix)

    def end() -> Any:
        now = read_ending(cloud, execution)
        return now if now.status == "SUCCEEDED" else None

    ending = wait(cloud, execution, end, "the end")
    seconds["the whole run"] = time.monotonic() - began
    states = list(named_steps(steps_of(cloud, execution)))
    print(f"\n{options.images:,} images, by {options.by}:\n\n| | seconds |\n|---|---:|")
    for name, value in [*states, *seconds.items()]:
        print(f"| {name} | {value:,.1f} |")
    labeled = ending.output["labeled"]
    print(f"\n{labeled:,} images labeled, as the run says.", flush=True)
    bucket, key = split_uri(ending.output["training_manifest"])
    (manifest,) = (stack.home / "s3").glob(f"*/{bucket}/{key}")
    labels = np.fromiter(right(manifest), np.bool_)
    print(f"{len(labels):,} labels in training.manifest, {labels.mean():.2%} of them right.")
    return 0 if len(labels) == labeled == options.images else 1


if __name__ == "__main__":
    sys.exit(main())
