"""Measure grouping: time and memory against the post's algorithm, and against the file's size.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/grouping.py [--quick]

Every measurement is a process of its own, so that its peak memory is its own. What is compared
takes turns, and the best of several turns counts: neighbors on the machine only ever slow down.
The embedded S3 is started here, unless AWS_ENDPOINT_URL names one that runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

if TYPE_CHECKING:
    from tessera.aws.storage import Storage

MILLION = 1_000_000
SOURCE = '"source-ref": "s3://images-of-animals/collections/2026/shelter-{:04d}/IMG_{:010d}.jpg"'
LINE = "{{" + SOURCE + "}}\n"
FORMS = {
    "a source-ref alone": (LINE, 6),
    "one more key": ("{{" + SOURCE + ', "id": {}}}\n', 5),
    "a prelabel and its confidence": (
        "{{" + SOURCE + ', "prelabel": "{}", "prelabel-confidence": {}}}\n', 4,
    ),
}  # fmt: skip
"""Lines as people have them, and how many times as fast as the post's way they must be grouped."""
SETTINGS = b'{"labels": ["cat", "dog", "neither", "invalid image"]}'
KEPT = ("source-ref", "prelabel", "prelabel-confidence")
"""Keys of a line that workers' pages need."""
BUCKET = "grouping-benchmark"
LAMBDA_MEMORY = 1024
"""MiB of the function that has to hold it."""


class Cost(NamedTuple):
    """Cost of one grouping."""

    seconds: float
    """Processor time: what neighbors on the machine change least."""
    clock: float
    mebibytes: float
    whole: float
    """Processor time of the whole process, imports included."""


def write_manifest(path: Path, lines: int) -> None:
    """Write a manifest of so many lines of 90 bytes, as long as paths in buckets commonly are."""
    with path.open("w") as file:
        for start in range(0, lines, 100_000):
            numbers = range(start, min(start + 100_000, lines))
            file.write("".join(LINE.format(number % 997, number) for number in numbers))


def write_form(path: Path, lines: int, form: str) -> None:
    """Write a manifest of lines of one form; no two confidences in a row are the same."""
    spelling, _ = FORMS[form]
    with path.open("w") as file:
        for number in range(lines):
            label = ("cat", "dog", "neither")[number % 3]
            confidence = round((number * 7919 % 9973) / 9973, 4)
            values = (label, confidence) if "prelabel" in spelling else (7 * number,)
            file.write(spelling.format(number % 997, number, *values))


def baseline(manifest: Path, out: Path) -> None:
    """Group by the post's algorithm, with Python's own json: read all, assign, write."""
    with manifest.open() as file:
        original = [json.loads(line) for line in file]
    tasks = -(-len(original) // 20)
    groups: list[list[dict[str, object]]] = [[] for _ in range(tasks)]
    for index, record in enumerate(original):
        kept = {key: record[key] for key in KEPT if key in record}
        groups[index % tasks].append({**kept, "index": index})
    with (out / "tasks.manifest").open("w") as file:
        for group in groups:
            file.write(json.dumps({"source": json.dumps(group)}) + "\n")


def grouping(manifest: Path, out: Path, **settings: object) -> None:
    """Group by the product's core, from a file to files, with the scratch file beside them."""
    from tessera.tiling.grouping.first_round import group_manifest
    from tessera.tiling.settings import read_settings

    def pieces() -> Iterator[bytes]:
        with manifest.open("rb", buffering=0) as file:
            while piece := file.read(MILLION):
                yield piece

    def create(name: str) -> BinaryIO:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb", buffering=0)

    chosen = read_settings(json.dumps(json.loads(SETTINGS) | settings).encode())
    scratch = partial(tempfile.TemporaryFile, buffering=0, dir=out)
    group_manifest(pieces, chosen, create, cast("Callable[[], BinaryIO]", scratch))


@cache
def storage() -> Storage:
    """Connect to the S3 that the environment names, once a process."""
    from tessera.aws.connection import connect  # late: no other process is to pay for it

    return connect().storage


def grouping_s3(manifest: str, out: str) -> None:
    """Group by the same from S3 to S3, with the function's own storage."""
    from tessera.tiling.grouping.first_round import group_manifest
    from tessera.tiling.settings import read_settings

    scratch = cast("Callable[[], BinaryIO]", partial(tempfile.TemporaryFile, buffering=0))
    group_manifest(
        partial(storage().iter_chunks, manifest),
        read_settings(SETTINGS),
        lambda name: storage().writer(out + name),
        scratch,
    )


def carrying_s3(manifest: str, out: str) -> None:
    """Read and write as many bytes with nothing done in between: what S3 itself takes."""
    size = storage().size(f"{out}round-1/tasks-000.manifest")
    assert size, "what is carried is as much as a grouping wrote before"
    for _ in storage().iter_chunks(manifest):
        pass
    with storage().writer(f"{out}carried") as file:
        for start in range(0, size, MILLION):
            file.write(bytes(min(MILLION, size - start)))


def child(work: str, manifest: str, out: str) -> None:
    """Do one task in this process and print its cost; imports are not counted in seconds."""
    does: dict[str, Callable[[], None]] = {
        "baseline": partial(baseline, Path(manifest), Path(out)),
        "spread": partial(grouping, Path(manifest), Path(out)),
        "shuffle": partial(grouping, Path(manifest), Path(out), order="shuffle"),
        "s3": partial(grouping_s3, manifest, out),
        "carry": partial(carrying_s3, manifest, out),
    }
    if work != "baseline":  # a warm function has imported it
        import tessera.tiling.grouping.first_round  # noqa: F401 — only to have it loaded

    if work in ("s3", "carry"):
        storage().exists(manifest)  # the client is made once for many events
    started, busy = time.perf_counter(), time.process_time()
    does[work]()
    seconds, clock = time.process_time() - busy, time.perf_counter() - started
    print(json.dumps([seconds, clock, peak_memory(), time.process_time()]))


def peak_memory() -> float:
    """Return this process's own peak in MiB; getrusage would count its parent's before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(work: str, manifest: Path | str, out: Path | str) -> Cost:
    """Measure a task in a process of its own."""
    command = [sys.executable, __file__, "--child", work, str(manifest), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Cost(*json.loads(done.stdout))


def best(costs: list[Cost]) -> Cost:
    """Return the least time and the least memory of several turns."""
    return Cost(*map(min, zip(*costs, strict=True)))


class Table:
    """Table of what must be reached beside what was measured."""

    def __init__(self, *, judge: bool) -> None:
        """Start without rows; small sizes are shown, not judged."""
        self.rows: list[str] = []
        self.missed = 0
        self._judge = judge

    def add(self, what: str, must: str, value: str, reached: bool) -> None:
        """Add one gate."""
        self.missed += self._judge and not reached
        verdict = ("yes" if reached else "**no**") if self._judge else "not judged"
        self.rows.append(f"| {what} | {must} | {value} | {verdict} |")


def compare_with_baseline(folder: Path, lines: int, turns: int, table: Table) -> Cost:
    """Group one manifest by both, in turns."""
    manifest = folder / "small.manifest"
    write_manifest(manifest, lines)
    theirs, ours = [], []
    for _ in range(turns):
        theirs.append(measured("baseline", manifest, folder))
        ours.append(measured("spread", manifest, folder))
    post, mine = best(theirs), best(ours)
    faster, smaller = post.seconds / mine.seconds, post.mebibytes / mine.mebibytes
    name = f"{lines:,} lines, file to file"
    took = f"({mine.seconds:.2f} s against {post.seconds:.2f} s)"
    held = f"({mine.mebibytes:.0f} MiB against {post.mebibytes:.0f} MiB)"
    table.add(f"{name}: time", "≥ 6 × faster", f"{faster:.1f} × {took}", faster >= 6)
    table.add(f"{name}: memory", "≤ 1/5, stretch 1/8", f"1/{smaller:.1f} {held}", smaller >= 5)
    return mine


def compare_forms(folder: Path, lines: int, turns: int, table: Table) -> None:
    """Group lines of each form by both, in turns, and compare whole processes."""
    for form, (_, gate) in FORMS.items():
        manifest = folder / "form.manifest"
        write_form(manifest, lines, form)
        theirs, ours = [], []
        for _ in range(turns):
            theirs.append(measured("baseline", manifest, folder))
            ours.append(measured("spread", manifest, folder))
        post, mine = best(theirs), best(ours)
        faster, smaller = post.whole / mine.whole, post.mebibytes / mine.mebibytes
        name = f"{lines:,} lines with {form}, whole process"
        took = f"({mine.whole:.2f} s against {post.whole:.2f} s)"
        held = f"({mine.mebibytes:.0f} MiB against {post.mebibytes:.0f} MiB)"
        table.add(f"{name}: time", f"≥ {gate} × faster", f"{faster:.1f} × {took}", faster >= gate)
        table.add(f"{name}: memory", "≤ 1/5", f"1/{smaller:.1f} {held}", smaller >= 5)
        manifest.unlink()


def compare_sizes(folder: Path, lines: int, turns: int, table: Table) -> None:
    """Group a manifest, and one of four times as many lines."""
    small, large = folder / "4.manifest", folder / "16.manifest"
    write_manifest(small, lines)
    write_manifest(large, 4 * lines)
    ones, fours = [], []
    for _ in range(turns):
        ones.append(measured("spread", small, folder))
        fours.append(measured("spread", large, folder))
    one, four = best(ones), best(fours)
    time_, memory = four.seconds / one.seconds, four.mebibytes / one.mebibytes
    name = f"{4 * lines:,} lines against {lines:,}"
    took = f"({four.seconds:.1f} s against {one.seconds:.1f} s)"
    held = f"({four.mebibytes:.0f} MiB against {one.mebibytes:.0f} MiB)"
    table.add(f"{name}: time", "≤ 4.4 ×", f"{time_:.2f} × {took}", time_ <= 4.4)
    table.add(f"{name}: memory", "≤ 1.1 ×", f"{memory:.2f} × {held}", memory <= 1.1)
    table.add(
        f"{4 * lines:,} lines: peak memory",
        f"≤ {LAMBDA_MEMORY} MiB",
        f"{four.mebibytes:.0f} MiB",
        four.mebibytes <= LAMBDA_MEMORY,
    )
    jumpy = measured("shuffle", small, folder)
    table.add(
        f"{lines:,} lines shuffled: peak memory",
        f"≤ {LAMBDA_MEMORY} MiB",
        f"{jumpy.mebibytes:.0f} MiB, {jumpy.seconds:.1f} s",
        jumpy.mebibytes <= LAMBDA_MEMORY,
    )
    small.unlink()
    large.unlink()


def through_s3(folder: Path, lines: int, turns: int, table: Table) -> None:
    """Group the same manifest from S3 to S3, in turns with file to file."""
    manifest = folder / "small.manifest"
    from tessera.aws.connection import connect  # late, as in `storage`

    s3 = connect().client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(manifest), BUCKET, "in/small.manifest")
    local, remote, carried = [], [], []
    where = f"s3://{BUCKET}/in/small.manifest", f"s3://{BUCKET}/out/"
    for _ in range(turns):
        local.append(measured("spread", manifest, folder))
        remote.append(measured("s3", *where))
        carried.append(measured("carry", *where))
    file, bucket, carry = best(local), best(remote), best(carried)
    name = f"{lines:,} lines through the embedded S3: time"
    ratio, over = bucket.clock / file.clock, bucket.clock / carry.clock
    took = f"({bucket.clock:.2f} s against {file.clock:.2f} s, {bucket.mebibytes:.0f} MiB)"
    table.add(name, "≤ 2 × file to file", f"{ratio:.2f} × {took}", ratio <= 2)
    took = f"({bucket.clock:.2f} s against {carry.clock:.2f} s)"
    table.add(name, "≤ 1.5 × carrying the bytes", f"{over:.2f} × {took}", over <= 1.5)


def main() -> None:
    """Measure, print the section, and say by the exit status whether all was reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the lines, one turn")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(*chosen.child)
        return
    few, many, turns = (100_000, 200_000, 1) if chosen.quick else (MILLION, 4 * MILLION, 3)
    table = Table(judge=not chosen.quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare_with_baseline(folder, few, turns, table)
        compare_forms(folder, few, turns, table)
        with_s3(folder, partial(through_s3, folder, few, turns, table))
        compare_sizes(folder, many, max(1, turns - 1), table)
    print("## Grouping a manifest\n")
    print(
        "The baseline is the post's algorithm in plain Python, with `json`. Each measurement is a "
        f"process of its own; the best of {turns} turns counts. Lines are 90 bytes long, "
        "or more where they have more keys. Time is "
        "processor time; through S3, where the server works too, it is the clock's.\n"
    )
    print("| | must reach | measured | reached |\n|---|---|---|---|")
    print("\n".join(table.rows))
    sys.exit(1 if table.missed else 0)


def with_s3(folder: Path, work: Callable[[], None]) -> None:
    """Do a task with an S3 to talk to: the one that is named, or one that is started here."""
    if os.environ.get("AWS_ENDPOINT_URL"):
        work()
        return
    from tessera.stack.local_stack import LocalStack, free_port

    stack = LocalStack(folder / "stack", free_port())
    stack.start()
    os.environ |= stack.variables
    try:
        work()
    finally:
        stack.stop()
        del os.environ["AWS_ENDPOINT_URL"]


if __name__ == "__main__":
    main()
