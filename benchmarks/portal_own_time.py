"""The portal's own processor time of a claim and of an answer, without the embedded AWS.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/portal_own_time.py

The routes run in this process on a table and files in memory, with the real page of 20 pictures,
whose addresses are signed as on AWS. Processor time, not the clock's, so that what else the machine
does counts little; what stands in for the table is not the portal's, and its time is taken off.
What the store takes is counted in calls: a claim waits for each of them. The jobs take turns, and
the median of the turns' medians counts, with the lowest and the highest beside it.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from aws_lambda_powertools.utilities.typing import LambdaContext

from tessera.aws.http_api import http_api
from tessera.aws.presign import Presigner
from tessera.portal import job_lifecycle
from tessera.portal.job_request import read_request
from tessera.portal.routes import ROUTES
from tessera.portal.site import Site
from tessera.portal.task_lines import write_offsets
from tessera.tiling.page.page import build_page
from tessera.tiling.page.page_input import prepare_task
from tessera.tiling.settings import read_settings
from tessera.tiling.workers.exclusions import Exclusions
from tests.fakes import Files
from tests.portal.counted import Counted
from tests.portal.world import HOME, PREPARE, World, answer_of

IMAGES = 20
SIZES = (100, 20_000)
TURNS = 5
CLAIM_MS = 3.5
"""Processor time that a claim may take, at the median; it was 5 to 8 before pages were compiled."""
USUAL_CALLS = 6
EXCLUDED, RATIO, MOST_CALLS = 3000, 2.0, 12
"""Tasks that a worker may not have, how much longer their claim may take, and its calls at most."""


class StandIn(Counted):
    """Table in a dictionary; `spent` is the processor time that it took, which is none of ours."""

    spent = 0.0

    def __getattribute__(self, name: str) -> Any:
        """Return the method, timed if it is a call of the table's."""
        method = super().__getattribute__(name)
        if name not in {"get", "query", "write", "count"}:
            return method

        def call(*positional: Any, **named: Any) -> Any:
            started = time.process_time()
            try:
                return method(*positional, **named)
            finally:
                self.spent += time.process_time() - started

        return call


class SigningFiles(Files):
    """Files in memory, whose addresses are signed as those of the portal's role are."""

    signer = Presigner("https://pets.s3.eu-west-1.amazonaws.com/", "eu-west-1", ("KEY", "s", "t"))

    def presign(self, uri: str, seconds: int) -> str:
        """Return a picture's address."""
        return self.signer.address(uri.removeprefix("s3://pets/"), seconds)


class PageWorld(World):
    """Portal whose tasks have twenty images, prepared as the stack's own function does it."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(files=SigningFiles(), table=StandIn(), images=IMAGES)
        self.took = 0.0

    @property
    def site(self) -> Site:
        """Return the pages, without a limit of requests."""
        return Site(ROOT / "ui", "https://cognito.test", "client", "us-east-1",
                    requests_per_minute=10**9)  # fmt: skip

    @cached_property
    def app(self) -> Any:
        """The portal's routes, made once as in its function."""
        return http_api(ROUTES, lambda: self.ports, lambda: self.site)

    def respond(self, event: dict[str, Any], site: Site | None = None) -> dict[str, Any]:
        """The portal's response to an event of API Gateway."""
        self.table.spent, started = 0.0, time.process_time()
        response: dict[str, Any] = self.app.resolve(event, LambdaContext())
        self.took = time.process_time() - started - self.table.spent
        return response

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Answer for the pre-annotation function in this process."""
        return prepare_task(event) if arn == PREPARE else super().invoke(arn, event)

    def timed(self, method: str, path: str, worker: str, body: Any) -> tuple[float, Any]:
        """Return the processor seconds of a request, without the table's, and its content."""
        self.table.count_anew()
        status, content = self.ask(method, path, worker, body)
        assert status == 200, content
        return self.took, content


class Labeling:
    """Job of so many tasks that ten workers label, with what their requests took."""

    def __init__(self, tasks: int) -> None:
        """Open the job."""
        self.tasks, self.workers, self.calls = tasks, 0, Counter[int]()
        self.claims: list[list[float]] = []
        self.answers: list[list[float]] = []
        self.world = world = PageWorld()
        request = world.request(tasks, workers=2)
        settings = read_settings(b'{"labels": ["cat", "dog"], "question": "Cat or dog?"}')
        page = build_page((ROOT / "ui" / "tiles.liquid.html").read_text("utf-8"), settings)
        world.files.put(f"{HOME}/page.liquid.html", page.encode())
        self.job = job_lifecycle.open_job(world.ports, request, "token")

    def turn(self, pages: int) -> None:
        """Claim and answer so many pages."""
        claims, answers = [], []
        for _ in range(pages):
            worker, self.workers = f"worker-{self.workers % 10}", self.workers + 1
            root = f"/jobs/{self.job.name}"
            took, content = self.world.timed("POST", f"{root}/claims", worker, {})
            claims.append(took)
            self.calls[self.world.table.calls.total()] += 1
            self.world.clock.wait(1)
            task = int(content["task"])
            body = answer_of(self.job, task, images=IMAGES)
            took, _ = self.world.timed("PUT", f"{root}/tasks/{task}/answer", worker, body)
            answers.append(took)
        self.claims.append(claims)
        self.answers.append(answers)

    def row(self) -> str:
        """Return the job's row of the table."""
        calls = ", ".join(f"{n} × {count}" for n, count in sorted(self.calls.items()))
        return f"| {self.tasks:,} | {spread(self.claims)} | {spread(self.answers)} | {calls} |"

    @property
    def holds(self) -> bool:
        """Whether the gates of a claim hold."""
        usual = statistics.median(self.calls.elements()) <= USUAL_CALLS
        return usual and typical(self.claims) <= CLAIM_MS


def typical(turns: list[list[float]]) -> float:
    """Return the median of the turns' medians, in milliseconds."""
    return 1000 * statistics.median(statistics.median(turn) for turn in turns)


def spread(turns: list[list[float]]) -> str:
    """Return the median, the lowest and highest of the turns', and the 95th percentile of all."""
    medians = [1000 * statistics.median(turn) for turn in turns]
    every = [took for turn in turns for took in turn]
    cut = 1000 * statistics.quantiles(every, n=20, method="inclusive")[18]
    return f"{typical(turns):.2f} ({min(medians):.2f}–{max(medians):.2f}) / {cut:.2f}"


def measure_later_round(excluded: int, workers: int) -> tuple[list[float], int]:
    """Processor seconds of claims in a round whose first tasks these workers may not have.

    Also the most table calls of a claim.
    """
    names = [f"worker-{number}" for number in range(workers)]
    world = PageWorld()
    request = world.request(excluded + workers, workers=1)
    manifest = f"{HOME}/round-1/tasks-000.manifest"
    exclusions = Exclusions()
    for task in range(excluded):
        exclusions.add(task, names)
    write_offsets(world.ports, read_request(request))
    exclusions.write(manifest, world.files.writer)
    job = job_lifecycle.open_job(world.ports, request, "token")
    claims, calls = [], []
    for name in names:
        took, _ = world.timed("POST", f"/jobs/{job.name}/claims", name, {})
        claims.append(took)
        calls.append(world.table.calls.total())
    return claims[5:], max(calls)


def main() -> int:
    """The exit status: 0 when every gate holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer claims")
    turns = 60 if parser.parse_args().quick else 180
    jobs = [Labeling(tasks) for tasks in SIZES]
    # The manifests of these jobs are no part of a portal's memory, which holds blocks of them.
    gc.collect()
    gc.freeze()
    for turn in range(TURNS + 1):
        for job in jobs if turn % 2 else jobs[::-1]:
            job.turn(turns // (TURNS + 1))
    for job in jobs:  # what a process does once is no part of a claim
        del job.claims[0], job.answers[0]
    print("## The portal's own time\n")
    print("Processor time in this process, with a table and files in memory, in ms: the median of")
    print(f"{TURNS} turns' medians (the lowest and the highest of them) / p95.\n")
    print("| tasks | claim | answer | table calls of a claim |\n|---:|---:|---:|---|")
    for job in jobs:
        print(job.row())
    holds = all(job.holds for job in jobs)
    none, _ = measure_later_round(0, turns)
    many, most = measure_later_round(EXCLUDED, turns)
    ratio = statistics.median(many) / statistics.median(none)
    print(f"\nA claim of a worker who may not have {EXCLUDED:,} tasks of a later round takes")
    print(
        f"{ratio:.2f} times as long as one of a worker who may have all, in {most} calls at most."
    )
    holds = holds and ratio <= RATIO and most <= MOST_CALLS
    print(
        f"\nGates: claim ≤ {CLAIM_MS} ms, {USUAL_CALLS} calls, at the median; {RATIO} times and "
        f"{MOST_CALLS} calls with exclusions: ",
        end="",
    )
    print("hold" if holds else "**missed**")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
