"""What a cold start costs: the artifact's size, and the time that each function's imports take.

`python benchmarks/cold_start.py [--quick]` prints a Markdown section and ends with status 1 if a
bound is missed. Times differ from machine to machine, so the bounds are ratios to a bare
interpreter's start that was measured on the same machine, in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from scripts.deployment import read_template

FUNCTIONS = ROOT / "functions"
BUILT = ROOT / ".aws-sam" / "build" / "GroupImagesFunction"
LARGEST = 60_000_000
"""Bytes of the zipped artifact."""


class Handler(NamedTuple):
    """A handler's module, what it may cost beside `import json`, and who waits for it."""

    module: str
    times: float
    waits: str


HANDLERS = [
    Handler("prepare_task", 12, "Ground Truth or a worker"),
    Handler("collect_answers", 12, "Ground Truth"),
    Handler("serve_portal", 16, "a worker"),
    Handler("open_job", 16, "the execution"),
    Handler("close_job", 16, "the execution"),
    Handler("group_images", 20, "the execution"),
    Handler("consolidate_labels", 30, "the execution"),
]
HEAVY = ["boto3", "botocore.session", "aws_xray_sdk", "numpy", "liquid"]


def environment() -> dict[str, str]:
    """What the functions find in Lambda, as far as imports look at it."""
    return {
        "PATH": os.environ["PATH"],
        "POWERTOOLS_SERVICE_NAME": "tessera",
        "POWERTOOLS_METRICS_NAMESPACE": "Tessera",
        "POWERTOOLS_TRACE_DISABLED": "1",
        "LABELS_BUCKET": "labels",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def seconds(statement: str) -> float:
    """The time that a fresh interpreter takes for a statement, its own start included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=FUNCTIONS, env=environment(), check=True)
    return time.perf_counter() - began


def loaded(module: str) -> list[str]:
    """The heavy packages that are in memory after the import."""
    statement = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=FUNCTIONS,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    modules = set(done.stdout.split())
    return [name.partition(".")[0] for name in HEAVY if name in modules]


def megabytes(module: str) -> float:
    """The memory of a fresh process with the handler and, where it uses AWS, its first client."""
    client = (
        ""
        if module == "prepare_task"
        else "; from tessera.aws.connection import connect; connect().client('s3')"
    )
    statement = (
        f"import resource, {module}{client}; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=FUNCTIONS,
        env=environment() | {"AWS_DEFAULT_REGION": "us-east-1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def memory_size(module: str) -> int:
    """The megabytes that the template gives to the handler's function."""
    template = read_template()
    name = "".join(word.capitalize() for word in module.split("_")) + "Function"
    given = template["Resources"][name]["Properties"].get("MemorySize")
    if isinstance(given, dict):  # a parameter's
        given = template["Parameters"][given["Ref"]]["Default"]
    return int(given or template["Globals"]["Function"]["MemorySize"])


def measured(turns: int) -> dict[str, float]:
    """The median milliseconds of every handler's import, and of `import json`."""
    statements = {"json": "import json"} | {h.module: f"import {h.module}" for h in HANDLERS}
    for statement in statements.values():
        seconds(statement)  # the first reads from disk
    taken: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(turns):
        for name, statement in statements.items():
            taken[name].append(seconds(statement))
    return {name: 1000 * statistics.median(times) for name, times in taken.items()}


def zipped(folder: Path) -> int:
    """The bytes of the folder as Lambda gets it."""
    file = folder.parent / "measured.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    size = file.stat().st_size
    file.unlink()
    return size


def section(turns: int) -> Iterator[tuple[str, bool]]:
    """The lines of the section, each with whether it is as it must be."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield "## Cold start", True
    yield "", True
    yield (
        f"`python benchmarks/cold_start.py`: imports in fresh interpreters, CPython {version}, "
        f"median of {turns} turns; the bound is a multiple of `import json`.",
        True,
    )
    yield "", True
    yield "| function | waited for by | ms | times | must be under | MB | of | loads |", True
    yield "|---|---|---|---|---|---|---|---|", True
    times = measured(turns)
    bare = times["json"]
    yield f"| *import json* | | {bare:.0f} | 1 | | | | |", True
    for handler in HANDLERS:
        taken = times[handler.module]
        heavy = ", ".join(loaded(handler.module)) or "none of boto3, X-Ray, numpy, Liquid"
        used, given = megabytes(handler.module), memory_size(handler.module)
        yield (
            f"| {handler.module} | {handler.waits} | {taken:.0f} | {taken / bare:.1f} "
            f"| {handler.times:.0f} | {used:.0f} | {given} | {heavy} |",
            taken / bare < handler.times and used < given / 2,
        )
    yield "", True
    yield (
        "MB: the process with its first AWS client, which must be under half of what the template "
        "gives, so that the other half is for work.",
        True,
    )
    yield "", True
    if BUILT.exists():
        size = zipped(BUILT)
        yield (
            f"Artifact: {size / 1e6:.1f} MB zipped, must be at most {LARGEST / 1e6:.0f} MB.",
            size <= LARGEST,
        )
    else:
        yield "Artifact: not measured, there is no `sam build` here.", True


def main() -> int:
    """Print the section; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 turns instead of 9")
    lines = list(section(3 if parser.parse_args().quick else 9))
    print("\n".join(line for line, _ in lines))
    return 0 if all(good for _, good in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
