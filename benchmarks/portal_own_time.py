"""The portal's own processor time of a claim and of an answer, without the embedded AWS.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/portal_own_time.py

The routes run in this process on a table and files in memory, with the real page of 20 pictures.
Processor time, not the clock's, so that what else the machine does counts little. What the store
takes is counted in calls: a claim waits for each of them.
"""

from __future__ import annotations

import argparse
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
from tessera.portal import job_lifecycle
from tessera.portal.job_request import read_request
from tessera.portal.routes import ROUTES
from tessera.portal.site import Site
from tessera.portal.task_lines import write_offsets
from tessera.tiling.exclusions import Exclusions
from tessera.tiling.page import build_page
from tessera.tiling.page_input import prepare_task
from tessera.tiling.settings import read_settings
from tests.portal.counted import Counted
from tests.portal.world import HOME, PREPARE, World, answer_of

IMAGES = 20
SIZES = (100, 20_000)
CLAIM_MS = 3.5
"""Processor time that a claim may take, at the median; it was 5 to 8 before pages were compiled."""
USUAL_CALLS = 6
EXCLUDED, RATIO, MOST_CALLS = 3000, 2.0, 12
"""Tasks that a worker may not have, how much longer their claim may take, and its calls at most."""


class PageWorld(World):
    """Portal whose tasks have twenty images, prepared as the stack's own function does it."""

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
        response: dict[str, Any] = self.app.resolve(event, LambdaContext())
        return response

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Answer for the pre-annotation function in this process."""
        return prepare_task(event) if arn == PREPARE else super().invoke(arn, event)


def timed(call: Any) -> tuple[float, Any]:
    """The processor seconds of a call, and its result."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def measure(tasks: int, turns: int) -> tuple[list[float], list[float], list[int]]:
    """Processor seconds of claims and answers in a job of so many tasks, and calls of claims."""
    world = PageWorld(table=Counted(), images=IMAGES)
    request = world.request(tasks, workers=2)
    settings = read_settings(b'{"labels": ["cat", "dog"], "question": "Cat or dog?"}')
    page = build_page((ROOT / "ui" / "tiles.liquid.html").read_text("utf-8"), settings)
    world.files.put(f"{HOME}/page.liquid.html", page.encode())
    job = job_lifecycle.open_job(world.ports, request, "token")
    claims, answers, calls = [], [], []
    for turn in range(turns):
        worker = f"worker-{turn % 10}"
        world.table.count_anew()
        took, (status, content) = timed(
            lambda worker=worker: world.ask("POST", f"/jobs/{job.name}/claims", worker, {})
        )
        assert status == 200, content
        calls.append(world.table.calls.total())
        claims.append(took)
        world.clock.wait(1)
        task = int(content["task"])
        body = answer_of(job, task, images=IMAGES)
        path = f"/jobs/{job.name}/tasks/{task}/answer"
        took, (status, content) = timed(
            lambda path=path, worker=worker, body=body: world.ask("PUT", path, worker, body)
        )
        assert status == 200, content
        answers.append(took)
    return claims[5:], answers[5:], calls[5:]


def measure_later_round(excluded: int, workers: int) -> tuple[list[float], int]:
    """Processor seconds of claims in a round whose first tasks these workers may not have.

    Also the most table calls of a claim.
    """
    names = [f"worker-{number}" for number in range(workers)]
    world = PageWorld(table=Counted(), images=IMAGES)
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
        world.table.count_anew()
        took, (status, content) = timed(
            lambda name=name: world.ask("POST", f"/jobs/{job.name}/claims", name, {})
        )
        assert status == 200, content
        claims.append(took)
        calls.append(world.table.calls.total())
    return claims[5:], max(calls)


def milliseconds(seconds: list[float]) -> str:
    """The median and the 95th percentile."""
    cut = statistics.quantiles(seconds, n=20, method="inclusive")
    return f"{1000 * cut[9]:.2f} / {1000 * cut[18]:.2f}"


def main() -> int:
    """The exit status: 0 when every gate holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer claims")
    turns = 60 if parser.parse_args().quick else 180
    print("## The portal's own time\n")
    print("Processor time in this process, with a table and files in memory; p50 / p95 in ms.\n")
    print("| tasks | claim | answer | table calls of a claim |\n|---:|---:|---:|---|")
    holds = True
    for tasks in SIZES:
        claims, answers, calls = measure(tasks, turns)
        spread = ", ".join(f"{n} × {count}" for n, count in sorted(Counter(calls).items()))
        print(f"| {tasks:,} | {milliseconds(claims)} | {milliseconds(answers)} | {spread} |")
        usual = statistics.median(calls) <= USUAL_CALLS
        holds = holds and usual and 1000 * statistics.median(claims) <= CLAIM_MS
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
