"""Runs every benchmark and writes what they print into RESULTS.md: `make bench`.

Each one prints a section in Markdown, with what must be reached beside what was measured, and ends
with status 1 if something was missed. They run one after the other, each in a process of its own.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

HERE = Path(__file__).parent
BENCHMARKS = {
    "grouping": ["grouping.py"],
    "effort": ["labeling_effort"],
    "consolidation": ["consolidation.py"],
    "adaptive": ["adaptive.py"],
    "guesses": ["guesses.py"],
    "portal": ["portal_load.py"],
    "portal-own-time": ["portal_own_time.py"],
    "overhead": ["overhead.py"],
    "scale": ["scale.py"],
    "portal-units": ["portal_units.py"],
    "cold-start": ["cold_start.py"],
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--quick", is_flag=True, help="Small sizes: whether they run, not what they measure.")
@click.option("--out", type=click.Path(path_type=Path), default=HERE / "RESULTS.md")
def main(names: tuple[str, ...], quick: bool, out: Path) -> None:
    """Run the named benchmarks, or all."""
    sections, missed = [_head(quick)], []
    for name in names or BENCHMARKS:
        click.echo(f"{name} …", err=True)
        command = [sys.executable, str(HERE / BENCHMARKS[name][0]), *(["--quick"] if quick else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
        sections.append(done.stdout.strip())
        if done.returncode:
            missed.append(name)
            click.echo(f"{name}: missed its mark or failed (status {done.returncode})", err=True)
    out.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    click.echo(f"Written: {out}", err=True)
    sys.exit(1 if missed else 0)


def _head(quick: bool) -> str:
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return "\n".join(
        [
            "# What was measured",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, one run of `make bench`: {cores} cores, "
            f"{memory / 2**30:.0f} GiB, {platform.system()}, CPython {platform.python_version()}, "
            f"numpy {version('numpy')}. Machines are noisy: compare ratios, which were measured in "
            "one run, rather than seconds."
            + (" **Quick sizes: these figures say only that everything runs.**" if quick else ""),
        ]
    )


if __name__ == "__main__":
    main()
