"""Move each tuned constant of the grouping, and replace each of its hot paths by the plain way.

Usage: python benchmarks/grouping_constants.py [--lines N] [--turns N]

Prints the tables of docs/decisions/grouping-constants.md; there are no gates. Each measurement is a
process of its own, in turns, and the least of them counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.grouping import grouping, peak_memory, write_manifest
from tessera.tiling.grouping import first_round, task_file
from tessera.tiling.grouping.orders import RoundRobin
from tessera.tiling.grouping.shard_buffer import ShardBuffer
from tessera.tiling.manifest import blocks, fingerprints
from tessera.tiling.manifest.batch import Batch
from tessera.tiling.manifest.stream import line_blocks

MOVED: dict[str, tuple[Callable[[int], object], tuple[int, ...]]] = {
    "BLOCK_BYTES": (
        lambda size: replace(first_round, "line_blocks", partial(line_blocks, size=size)),
        (1 << 16, 1 << 18, 1 << 20, 1 << 22),
    ),
    "TASKS_AT_ONCE": (partial(setattr, task_file, "TASKS_AT_ONCE"), (25, 50, 250, 1000)),
    "PIECES_AT_ONCE": (partial(setattr, task_file, "PIECES_AT_ONCE"), (1000, 4000, 10**9)),
    "MAX_WORDS_AT_ONCE": (partial(setattr, fingerprints, "MAX_WORDS_AT_ONCE"), (1, 8, 32, 128)),
}
"""What sets each constant, and the values that are tried, the product's own among them."""


def replace(owner: object, name: str, value: object) -> None:
    """Put a function of this file in the place of the product's own."""
    assert hasattr(owner, name)
    setattr(owner, name, value)


def _read_line_by_line() -> None:
    def parse(parser: blocks.BlockParser, block: bytes) -> Batch:
        first = parser.counts.lines
        parser.counts.lines += block.count(b"\n")
        return parser._parse_one_by_one(block, first)

    replace(blocks.BlockParser, "parse", parse)


def _write_from_memory() -> None:
    def write(file: task_file.TaskFile, buffer: ShardBuffer, plan: RoundRobin) -> None:
        task_file.write_consecutive(file, buffer, plan.as_consecutive())

    replace(first_round, "write_round_robin", write)


def _format_each_index() -> None:
    def encode(indexes: Any, after: bytes) -> tuple[list[bytes], list[bytes]]:
        backs = [task_file.INDEX + b"%d" % index + after for index in indexes]
        return [b""] * len(backs), backs

    replace(task_file, "encode_rising_indexes", encode)


def _hash_each_source() -> None:
    def hash_sources(
        text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> fingerprints.Fingerprints:
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        digests = [hashlib.blake2b(text[a:b], digest_size=12).digest() for a, b in spans]
        rows = np.frombuffer(b"".join(digests), np.dtype([("hash", "<u8"), ("check", "<u4")]))
        return fingerprints.Fingerprints(rows["hash"].copy(), rows["check"].copy())

    replace(blocks, "fingerprints", hash_sources)


PLAIN_WAYS: dict[str, Callable[[], None]] = {
    "as it is": lambda: None,
    "`BlockParser`: line by line": _read_line_by_line,
    "`write_round_robin`: `write_consecutive`": _write_from_memory,
    "`encode_rising_indexes`: each index formatted": _format_each_index,
    "`fingerprints`: a call of blake2b for each source": _hash_each_source,
}


WORKLOADS = {"20 a page": 20, "100 a page": 100, "long names": 20}
"""Images a page of each workload."""
Cost = tuple[float, float]
"""Seconds of processor time, and MiB at the peak."""


def child(case: str, value: str, manifest: str, images_per_task: int) -> None:
    """Group in this process with one thing changed, and print seconds and MiB."""
    if case in MOVED:
        MOVED[case][0](int(value))
    else:
        PLAIN_WAYS[case]()
    with tempfile.TemporaryDirectory(dir=Path(manifest).parent) as out:
        started = time.process_time()
        grouping(Path(manifest), Path(out), images_per_task=images_per_task)
        print(json.dumps([time.process_time() - started, peak_memory()]))


def measured(manifest: Path, case: str, value: int, images_per_task: int) -> Cost:
    """Return the seconds and MiB of a grouping in a process of its own."""
    arguments = [case, str(value), str(manifest), str(images_per_task)]
    command = [sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seconds, mebibytes = json.loads(done.stdout)
    return seconds, mebibytes


def main() -> None:
    """Measure everything in turns, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        case, value, manifest, images_per_task = chosen.child
        child(case, value, manifest, int(images_per_task))
        return
    with tempfile.TemporaryDirectory() as folder:
        least = measure_all(Path(folder), chosen.lines, chosen.turns)
    print(f"| constant | value | {' | '.join(WORKLOADS)} |\n|---|---|---|---|---|")
    for name, (_, values) in MOVED.items():
        for value in values:
            seconds = (f"{least[name, value, load][0]:.2f} s" for load in WORKLOADS)
            print(f"| `{name}` | {value:,} | {' | '.join(seconds)} |")
    print("\n| hot path: the plain way | time | peak memory |\n|---|---|---|")
    for name in PLAIN_WAYS:
        cost, mebibytes = least[name, 0, "20 a page"]
        print(f"| {name} | {cost:.2f} s | {mebibytes:.0f} MiB |")


def measure_all(folder: Path, lines: int, turns: int) -> dict[tuple[str, int, str], Cost]:
    """Return the least cost of every case, by its name, value and workload."""
    short, long = folder / "short.manifest", folder / "long.manifest"
    write_manifest(short, lines)
    padding = b"x" * 830  # names of 900 bytes, as few as make the manifest as long
    with long.open("wb") as file, short.open("rb") as lines_of_short:
        for line in islice(lines_of_short, lines // 10):
            file.write(line.replace(b".jpg", padding + b".jpg"))
    cases = [
        (name, value, load) for name, (_, ns) in MOVED.items() for value in ns for load in WORKLOADS
    ]
    cases += [(name, 0, "20 a page") for name in PLAIN_WAYS]
    least: dict[tuple[str, int, str], Cost] = {}
    for _ in range(turns):
        for name, value, load in cases:
            manifest = long if load == "long names" else short
            cost = measured(manifest, name, value, WORKLOADS[load])
            before = least.get((name, value, load), cost)
            least[name, value, load] = min(cost[0], before[0]), min(cost[1], before[1])
    return least


if __name__ == "__main__":
    main()
