"""Run benchmarks and write what they print into RESULTS.md: `make bench`, some with `NAMES=…`.

Each one prints a section in Markdown, with what must be reached beside what was measured, and ends
with status 1 if something was missed. They run one after the other, each in a process of its own.
The sections of those that were not named stay as they are, with the date of their own.
"""

from __future__ import annotations

import os
import platform
import re
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
    "several": ["labeling_effort/several.py"],
    "consolidation": ["consolidation.py"],
    "multi-label": ["multi_label.py"],
    "adaptive": ["adaptive.py"],
    "guesses": ["guesses.py"],
    "live-control": ["live_control.py"],
    "portal": ["portal_load.py"],
    "portal-own-time": ["portal_own_time.py"],
    "overhead": ["overhead.py"],
    "scale": ["scale.py"],
    "portal-units": ["portal_units.py"],
    "cold-start": ["cold_start.py"],
    "first-picture": ["first_picture.py"],
}
_SECTION = re.compile(r"<!-- ([a-z-]+) -->\n")
"""What stands before a benchmark's section, so that it is found again."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--quick", is_flag=True, help="Small sizes: whether they run, not what they measure.")
@click.option("--out", type=click.Path(path_type=Path), default=HERE / "RESULTS.md")
def main(names: tuple[str, ...], quick: bool, out: Path) -> None:
    """Run the named benchmarks, or all."""
    sections = read_sections(out.read_text("utf-8")) if names and out.exists() else {}
    missed = []
    for name in names or BENCHMARKS:
        click.echo(f"{name} …", err=True)
        command = [sys.executable, str(HERE / BENCHMARKS[name][0]), *(["--quick"] if quick else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
        sections[name] = f"{done.stdout.strip()}\n\n*{_conditions(quick)}*"
        # Written after each, so that one which is stopped takes none of the others with it.
        out.write_text(write_sections(sections), encoding="utf-8")
        if done.returncode:
            missed.append(name)
            click.echo(f"{name}: missed its mark or failed (status {done.returncode})", err=True)
    click.echo(f"Written: {out}", err=True)
    sys.exit(1 if missed else 0)


def read_sections(text: str) -> dict[str, str]:
    r"""Return the sections of a file of results by benchmark.

    >>> read_sections("# Measured\n\n<!-- grouping -->\n## Grouping\n1\n\n<!-- scale -->\n2\n")
    {'grouping': '## Grouping\n1', 'scale': '2'}
    """
    _, *parts = _SECTION.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def write_sections(sections: dict[str, str]) -> str:
    """Return the file of results, its sections in the order of the benchmarks."""
    head = (
        "# What was measured\n\nEach section by `make bench`, on the day and the machine at its "
        "end. Machines are noisy: compare ratios, which were measured in one run, rather than "
        "seconds.\n"
    )
    parts = [f"<!-- {name} -->\n{sections[name]}\n" for name in BENCHMARKS if name in sections]
    return "\n".join([head, *parts])


def _conditions(quick: bool) -> str:
    """Return when and where a section was measured."""
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {cores} cores, {memory / 2**30:.0f} GiB, "
        f"{platform.system()}, CPython {platform.python_version()}, numpy {version('numpy')}."
        + (" **Quick sizes: these figures say only that everything runs.**" if quick else "")
    )


if __name__ == "__main__":
    main()
