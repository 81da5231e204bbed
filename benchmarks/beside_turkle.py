"""The portal beside Turkle on this machine: the same crowd, the same jobs, turns about.

Run by `portal_load.py --beside-turkle`. A page has twenty pictures, and two workers answer each.
A claim lasts until the page's HTML is there: one request here, three at Turkle. Both systems
answer the same client over kept connections. What the machine's processors did meanwhile is read
from `/proc`, so that the embedded AWS, which is not there on AWS, is told from the portal's code.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from benchmarks.kept_connection import KeptConnection
from benchmarks.turkle_peer import Turkle, TurkleWorker, turkle
from tests.portal.served import Served, answer_of

IMAGES = 20
SMALL, LARGE = 100, 20_000
JOBS = 3
"""Small jobs of one turn: six hundred answers, more than either system takes in it."""
WORKERS = (10, 50)
AHEAD = {(10, SMALL): 0.6, (50, SMALL): 0.6, (10, LARGE): 8.0, (50, LARGE): 4.0}
"""How many times Turkle's answered pages a second the portal's must be, by workers and tasks."""
ATTEMPTS = 5
"""Times that a worker asks for a first page before it counts as lost."""


class Peer(Protocol):
    """System under load: how a worker claims and submits, and whose processor time it takes."""

    name: str

    def jobs(self, tasks: int) -> list[Any]:
        """Return the jobs of a turn, by which the system knows them."""

    def worker(self, number: int) -> tuple[Callable[[Any], Any], Callable[[Any, Any], int]]:
        """Return a worker's `claim` of a job, (status, page), and `submit` of the page."""

    def processor(self) -> dict[str, float]:
        """Return the processor seconds so far, by what took them."""


@dataclass
class Load:
    """What the crowd saw in one turn or several; every thread writes it under the lock."""

    claims: list[float] = field(default_factory=list)
    submissions: list[float] = field(default_factory=list)
    failed: int = 0
    rates: list[float] = field(default_factory=list)
    processor: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rate(self) -> float:
        """Answered pages a second: the median of the turns."""
        return statistics.median(self.rates)


class PortalPeer:
    """Tessera's portal on the local stack."""

    name = "Tessera, local stack"

    def __init__(self, served: Served, pid: int, workers: int) -> None:
        """Sign the workers in, and write the jobs' tasks."""
        # A person makes no more requests in a minute than the portal lets them; these are none.
        served.configure("ServePortalFunction", REQUESTS_PER_MINUTE="1000000")
        self._served, self._pid, self._numbers = served, pid, count(1)
        self._portal = urlsplit(served.cloud.portal_url)
        self._tokens = [served.worker(f"peer-{number}").token for number in range(workers)]
        self._requests = {
            tasks: served.request(f"peer-{tasks}-r1-000", tasks, images=IMAGES)
            for tasks in (SMALL, LARGE)
        }
        self._large = self.open(LARGE)

    def open(self, tasks: int) -> tuple[str, int]:
        """Open another job of so many tasks; its name, and their number."""
        name = f"peer-{tasks}-{next(self._numbers)}-r1-000"
        request = self._requests[tasks] | {"LabelingJobName": name}
        self._served.call("OpenJobFunction", {"request": request})
        return name, tasks

    def jobs(self, tasks: int) -> list[tuple[str, int]]:
        """Return the large job, or small ones that nobody has worked on."""
        return [self._large] if tasks == LARGE else [self.open(tasks) for _ in range(JOBS)]

    def worker(self, number: int) -> tuple[Callable[[Any], Any], Callable[[Any, Any], int]]:
        """Return what a worker does, over a connection of their own."""
        connection = KeptConnection(self._portal.hostname or "", self._portal.port or 80)
        root = self._portal.path.rstrip("/")
        headers = {
            "Authorization": f"Bearer {self._tokens[number]}",
            "Content-Type": "application/json",
        }

        def claim(job: tuple[str, int]) -> tuple[int, Any]:
            path = f"{root}/jobs/{job[0]}/claims"
            status, _, content = connection.ask("POST", path, b"{}", headers)
            return status or 504, json.loads(content)["task"] if status == 200 else None

        def submit(job: tuple[str, int], task: str) -> int:
            body = json.dumps(answer_of(int(task), job[1], IMAGES)).encode()
            path = f"{root}/jobs/{job[0]}/tasks/{task}/answer"
            return connection.ask("PUT", path, body, headers)[0] or 504

        return claim, submit

    def processor(self) -> dict[str, float]:
        """Return what the embedded AWS has taken, and what the portal's functions have."""
        own, children = processor_seconds(self._pid)
        return {"embedded AWS": own, "functions": children}


class TurklePeer:
    """Turkle, served by gunicorn and PostgreSQL."""

    name = "Turkle"

    def __init__(self, served: Turkle) -> None:
        """Keep the batches: the first is the large one, the others are small and new."""
        self._served, (self._large, *small) = served, served.batches
        self._small = iter(small)

    def jobs(self, tasks: int) -> list[int]:
        """Return the large batch, or small ones that nobody has worked on."""
        return [self._large] if tasks == LARGE else [next(self._small) for _ in range(JOBS)]

    def worker(self, number: int) -> tuple[Callable[[Any], Any], Callable[[Any, Any], int]]:
        """Return what a worker does, over a connection of their own."""
        worker = TurkleWorker(self._served, number, IMAGES)
        return worker.claim, lambda batch, place: worker.submit(place)

    def processor(self) -> dict[str, float]:
        """Return what Django has taken, and what PostgreSQL has."""
        server, database = self._served.server, self._served.database
        return {
            "Django": sum(processor_seconds(server)),
            "PostgreSQL": sum(processor_seconds(database)),
        }


def processor_seconds(pid: int) -> tuple[float, float]:
    """Return the processor seconds of a process, and those of all that it started, ended or not."""
    times: dict[int, tuple[int, float, float]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended
            continue
        own, ended = (sum(map(int, fields[start : start + 2])) for start in (11, 13))
        times[int(folder.name)] = int(fields[1]), own, ended
    ticks = os.sysconf("SC_CLK_TCK")
    tree, grown = {pid}, 0
    while grown != len(tree):
        grown = len(tree)
        tree |= {child for child, (parent, _, _) in times.items() if parent in tree}
    started = sum(times[each][1] for each in tree - {pid}) + sum(times[each][2] for each in tree)
    return times[pid][1] / ticks, started / ticks


def take_turn(peer: Peer, load: Load, workers: int, tasks: int, seconds: float) -> None:
    """Let so many workers claim and answer pages without pause until the time is over."""
    jobs, before, answered = peer.jobs(tasks), peer.processor(), len(load.submissions)
    started = time.monotonic()
    end = started + seconds

    def work(number: int) -> None:
        claim, submit = peer.worker(number)
        left = list(jobs)
        while left and time.monotonic() < end:
            began = time.perf_counter()
            status, page = claim(left[0])
            took = time.perf_counter() - began
            if status in {204, 409}:
                left.pop(0)
            elif status == 200:
                began = time.perf_counter()
                status = submit(left[0], page)
                with load.lock:
                    load.claims.append(took)
                    if status == 200:
                        load.submissions.append(time.perf_counter() - began)
            with load.lock:
                load.failed += status >= 500

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))
    load.rates.append((len(load.submissions) - answered) / (time.monotonic() - started))
    for name, spent in peer.processor().items():
        load.processor[name] = load.processor.get(name, 0.0) + spent - before[name]


class ColdStart(NamedTuple):
    """Crowd's first claims, all at once, at functions that do not run yet."""

    workers: int
    asked_again: int
    lost: int
    slowest: float


def start_cold(portal: PortalPeer, workers: int) -> ColdStart:
    """Let all workers ask for their first page at the same moment."""
    job = portal.open(SMALL)
    together = threading.Barrier(workers)

    def claim_first(number: int) -> tuple[int, float]:
        claim, _ = portal.worker(number)
        together.wait()
        began = time.perf_counter()
        for attempt in range(ATTEMPTS):
            if claim(job)[0] == 200:
                return attempt, time.perf_counter() - began
            time.sleep(1)
        return ATTEMPTS, time.perf_counter() - began

    with ThreadPoolExecutor(workers) as threads:
        firsts = list(threads.map(claim_first, range(workers)))
    attempts = [attempt for attempt, _ in firsts]
    return ColdStart(
        workers,
        sum(attempt > 0 for attempt in attempts),
        sum(attempt == ATTEMPTS for attempt in attempts),
        max(took for _, took in firsts),
    )


def compare(served: Served, pid: int, folder: Path, turns: int, seconds: float) -> int:
    """Measure both systems and print the section; 1 if a gate is missed."""
    most = max(WORKERS)
    portal = PortalPeer(served, pid, most)
    cold = start_cold(portal, most)
    for part in (12, 6, 1):  # functions start, and read what they keep of the large job
        take_turn(portal, Load(), max(1, most // part), LARGE, seconds)
    batches = [LARGE, *[SMALL] * (JOBS * turns * len(WORKERS))]
    loads: dict[tuple[int, int], dict[str, Load]] = {}
    with turkle(folder, most, IMAGES, batches) as peer:
        pair: tuple[Peer, Peer] = (TurklePeer(peer), portal)
        for workers, tasks in AHEAD:
            cell = loads[workers, tasks] = {each.name: Load() for each in pair}
            for turn in range(turns):
                for each in pair if turn % 2 else reversed(pair):
                    take_turn(each, cell[each.name], workers, tasks, seconds)
                    figures = row(each.name, cell[each.name], workers, tasks)
                    print(figures, file=sys.stderr, flush=True)
    return report(cold, loads, turns, seconds)


def report(
    cold: ColdStart, loads: dict[tuple[int, int], dict[str, Load]], turns: int, seconds: float
) -> int:
    """Print the section; 1 if a gate is missed."""
    print("## The portal beside Turkle\n")
    print(f"{IMAGES} pictures a page, two answers each; {turns} turns of {seconds:.0f} s about,")
    print("and until the last request of a turn was answered. Processor time is the servers' own,")
    print("per answered page. The embedded AWS stands for services that AWS runs elsewhere.\n")
    columns = "pages/s | claim p50/p95 ms | answer p50/p95 ms | failed | processor ms a page"
    print(f"| workers | tasks | | {columns} |\n|---:|---:|---|---:|---:|---:|---:|---|")
    gates = []
    for (workers, tasks), cell in loads.items():
        for name, load in cell.items():
            print(row(name, load, workers, tasks))
        ratio = cell[PortalPeer.name].rate / max(cell[TurklePeer.name].rate, 1e-9)
        gates.append((f"{workers} workers, {tasks:,} tasks", ratio, AHEAD[workers, tasks]))
    print("\n| times Turkle's pages/s | must reach | measured | |\n|---|---:|---:|---|")
    for what, ratio, wanted in gates:
        verdict = "holds" if ratio >= wanted else "**missed**"
        print(f"| {what} | ≥ {wanted:g} | {ratio:.2f} | {verdict} |")
    print(
        f"\nCold start: of {cold.workers} first claims at once at functions that did not run yet,"
    )
    print(f"{cold.lost} were lost and {cold.asked_again} asked again; the slowest took", end=" ")
    print(f"{cold.slowest:.0f} s.")
    return int(cold.lost > 0 or any(ratio < wanted for _, ratio, wanted in gates))


def row(name: str, load: Load, workers: int, tasks: int) -> str:
    """Return a system's line of the table."""
    pages = max(1, len(load.submissions))
    spent = ", ".join(
        f"{what} {1000 * seconds / pages:.0f}" for what, seconds in load.processor.items()
    )
    times = f"{quantiles(load.claims)} | {quantiles(load.submissions)}"
    return (
        f"| {workers} | {tasks:,} | {name} | {load.rate:.1f} | {times} | {load.failed} | {spent} |"
    )


def quantiles(seconds: list[float]) -> str:
    """Return the median and the 95th percentile, in milliseconds."""
    if len(seconds) < 2:
        return "–"
    cut = statistics.quantiles(seconds, n=20, method="inclusive")
    return f"{1000 * cut[9]:,.0f} / {1000 * cut[18]:,.0f}"
