"""The portal under load: many workers at once at a large job, and the same at small ones.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/portal_load.py [--quick] [--beside-turkle]

It starts a local stack of its own. Workers are threads that ask over HTTP as the portal's page
does, without pause; the page they get is not shown, its answer is made up.

Large and small take turns of the same length, with the same workers. A small job is done before a
turn is over, and its last workers would have the machine to themselves: they go on to another small
job instead. All small jobs have one manifest and one page, which no process has to read again,
so that starting anew does not count against them; a turn at the large job that is not counted lets
processes read what they keep of that one too. Only claims that got a task are compared.

With `--beside-turkle`, the portal is measured beside a peer instead (`beside_turkle.py`).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.beside_turkle import compare
from tessera.stack.local_stack import LocalStack, free_port
from tests.portal.served import Served, Worker, answer_of

IMAGES = 20
SMALL = 100
JOBS = 5
"""Small jobs of one turn; when they are all done, the turn is over early."""

RATIO = 1.2
"""Claims of the large job may take so many times those of the small one, at the median."""


@dataclass
class Load:
    """What the workers saw of a job in one turn."""

    claims: list[float] = field(default_factory=list)
    submissions: list[float] = field(default_factory=list)
    given: list[tuple[int, str]] = field(default_factory=list)
    saved: list[tuple[int, str]] = field(default_factory=list)
    nothing: int = 0
    again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def work(
    worker: Worker, name: str, jobs: list[str], tasks: int, seconds: float, loads: dict[str, Load]
) -> None:
    """Claim and answer one page after another until the time is over or the jobs are done."""
    end = time.monotonic() + seconds
    left = iter(jobs)
    job = next(left, None)
    while job is not None and time.monotonic() < end:
        load = loads[job]
        started = time.perf_counter()
        status, claim = ask(worker, "POST", f"jobs/{job}/claims", {})
        took = time.perf_counter() - started
        if status >= 500:
            with load.lock:
                load.again += 1
            continue
        if status != 200:
            with load.lock:
                load.nothing += 1
            job = next(left, None)
            continue
        task = int(claim["task"])
        with load.lock:
            load.claims.append(took)
            load.given.append((task, name))
        answer = answer_of(task, tasks, IMAGES)
        for _ in range(5):
            started = time.perf_counter()
            status, _said = ask(worker, "PUT", f"jobs/{job}/tasks/{task}/answer", answer)
            took = time.perf_counter() - started
            if status == 200:
                with load.lock:
                    load.submissions.append(took)
                    load.saved.append((task, name))
                break
            with load.lock:
                load.again += 1


def ask(worker: Worker, method: str, path: str, body: Any) -> tuple[int, Any]:
    """The response; 504 where none came, and the page would ask again."""
    try:
        return worker.ask(method, path, body)
    except OSError:
        return 504, None


class Turn(NamedTuple):
    """A turn of all workers at some jobs, and how long it was."""

    loads: dict[str, Load]
    seconds: float

    def all(self, what: str) -> list[float]:
        """The seconds of all claims, or of all submissions."""
        return [took for load in self.loads.values() for took in getattr(load, what)]


def run(people: dict[str, Worker], jobs: list[str], tasks: int, seconds: float) -> Turn:
    """Let all workers work on the jobs at once, for so long or until all are done."""
    loads = {job: Load() for job in jobs}
    started = time.monotonic()
    with ThreadPoolExecutor(len(people)) as threads:
        running = [
            threads.submit(work, worker, name, jobs, tasks, seconds, loads)
            for name, worker in people.items()
        ]
        for each in running:
            each.result()
    turn = Turn(loads, time.monotonic() - started)
    print(f"{jobs[0]}: {turn.seconds:.0f} s, {quantiles(turn.all('claims'))} ms", file=sys.stderr)
    return turn


def quantiles(seconds: list[float]) -> str:
    """The median, the 95th and the 99th percentile, in milliseconds."""
    if len(seconds) < 2:
        return "–"
    cut = statistics.quantiles(seconds, n=100, method="inclusive")
    return " / ".join(f"{1000 * cut[share - 1]:.0f}" for share in (50, 95, 99))


def main() -> int:
    """The exit status: 0 when every gate holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer workers, less time")
    parser.add_argument("--workers", type=int, help="so many workers instead of 50")
    parser.add_argument(
        "--beside-turkle", action="store_true", help="beside Turkle; needs pip and PostgreSQL"
    )
    options = parser.parse_args()
    quick = options.quick
    count, seconds, large, turns = (8, 10.0, 20_000, 3) if quick else (50, 30.0, 100_000, 4)
    with tempfile.TemporaryDirectory() as home:
        stack = LocalStack(Path(home), free_port())
        stack.start(extra={"LAMBDA_WARM_TTL_SECONDS": "900"})  # workers stay between two turns
        try:
            stack.deploy()
            if options.beside_turkle:
                pid = int((stack.home / "aws.pid").read_text())
                turns, seconds = (1, 8.0) if quick else (3, 10.0)
                (folder := Path(home) / "turkle").mkdir()
                return compare(Served(stack.cloud), pid, folder, turns, seconds)
            return report(Served(stack.cloud), options.workers or count, seconds, large, turns)
        finally:
            stack.stop()


def report(served: Served, count: int, seconds: float, large: int, turns: int) -> int:
    """Print the section."""
    # A person makes no more requests in a minute than the portal lets him; these are no persons.
    served.configure("ServePortalFunction", REQUESTS_PER_MINUTE="1000000")
    signed_in = [served.worker(f"load-{number}") for number in range(count)]
    people = {worker.ask("GET", "me")[1]["worker"]: worker for worker in signed_in}
    small = served.request("load-small", SMALL, images=IMAGES)
    requests: dict[str, dict[str, Any]] = {}

    def opened(request: dict[str, Any], name: str) -> str:
        """Another job of the request's tasks, under this name."""
        requests[name] = request | {"LabelingJobName": name}
        served.call("OpenJobFunction", {"request": requests[name]})
        return name

    warm = []
    for part in (8, 4, 2, 1):  # all processes at once would be too much
        warmers = dict(list(people.items())[: max(1, count // part)])
        warm.append(run(warmers, [opened(small, f"load-warm-{part}")], SMALL, seconds))
    one = [opened(served.request("load-large", large, images=IMAGES), "load-large")]
    warm.append(run(people, one, large, seconds))
    measured: dict[str, list[Turn]] = {"large": [], "small": []}
    # In turns, first one and then the other first: what else the machine does falls on both alike.
    for number in range(turns):
        many = [opened(small, f"load-small-{number}-{each}") for each in range(JOBS)]
        pair = [("large", one, large), ("small", many, SMALL)]
        for size, jobs, tasks in pair if number % 2 else reversed(pair):
            measured[size].append(run(people, jobs, tasks, seconds))
    every = [*warm, *measured["large"], *measured["small"]]
    problems: Counter[str] = Counter()
    for job, request in requests.items():
        seen = [turn.loads[job] for turn in every if job in turn.loads]
        problems += faults(seen, served.answers(request))
    rows, medians = [], {}
    for size, tasks in (("large", large), ("small", SMALL)):
        claims = [took for turn in measured[size] for took in turn.all("claims")]
        submissions = [took for turn in measured[size] for took in turn.all("submissions")]
        spent = sum(turn.seconds for turn in measured[size])
        loads = [load for turn in measured[size] for load in turn.loads.values()]
        medians[size] = statistics.median(claims)
        figures = (
            f"{tasks:,}",
            f"{len(claims):,}",
            f"{len(claims) / spent:.1f}",
            quantiles(claims),
            f"{len(submissions) / spent:.1f}",
            quantiles(submissions),
            str(sum(load.nothing for load in loads)),
            str(sum(load.again for load in loads)),
        )
        rows.append(f"| {' | '.join(figures)} |")
    ratio = medians["large"] / medians["small"]
    gates = [
        ("claim p50, large job over small", f"≤ {RATIO}", f"{ratio:.2f}", ratio <= RATIO),
        *(
            (what, "0", str(problems[what]), problems[what] == 0)
            for what in ("seats given twice", "answers lost", "answers doubled")
        ),
    ]
    print(f"## The portal under load\n\n{count} workers at once without a pause, two answers and")
    print(f"{IMAGES} images a page, on the local stack; a large job and small ones took turns,")
    claimed = sum(len(turn.all("claims")) for turn in warm)
    print(f"{turns} of {seconds:.0f} s each, after {claimed} claims to warm up.\n")
    columns = ("tasks", "claims", "claims/s", "p50/p95/p99 ms", "answers/s", "p50/p95/p99 ms")
    print("|", " | ".join(columns), "| nothing left | asked again |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", *rows, sep="\n")
    print("\n| | must reach | measured | |\n|---|---:|---:|---|")
    for what, wanted, figure, holds in gates:
        print(f"| {what} | {wanted} | {figure} | {'holds' if holds else '**missed**'} |")
    return 0 if all(gate[-1] for gate in gates) else 1


def faults(loads: list[Load], stored: dict[tuple[int, str], Any]) -> Counter[str]:
    """What must not happen, counted: what the workers of a job were told against what S3 holds."""
    given = [seat for load in loads for seat in load.given]
    saved = [seat for load in loads for seat in load.saved]
    seats = Counter(task for task, _ in set(given))
    kept = Counter(task for task, _ in stored)
    return Counter(
        {
            "seats given twice": sum(max(0, taken - 2) for taken in seats.values())
            + len(given)
            - len(set(given)),
            "answers doubled": len(saved)
            - len(set(saved))
            + sum(max(0, number - 2) for number in kept.values()),
            "answers lost": len(set(saved) - stored.keys()),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
