"""Says what an answered page costs the portal's table, by partition key.

Prints a section of Markdown; ends with 1 if a key takes too much. Run it from the project's root:

    python benchmarks/portal_units.py [--quick]

Units are counted in memory while the portal's own code is asked what browsers ask of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tests.portal.test_units import MOST_WRITTEN
from tests.portal.units import Labeling

A_SECOND = 1000
"""Units that one partition key may be written in a second."""


def main() -> int:
    """Count, print, and say whether the gate is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="40 pages instead of 300")
    tasks = 40 if parser.parse_args().quick else 300
    print("## What a page costs the portal's table\n")
    print("| answers a page | requests | written | read | most on one key | pages a second |")
    print("|---:|---:|---:|---:|---|---:|")
    highest = 0.0
    for answers, people in ((1, 8), (2, 20), (3, 30)):
        labeling = Labeling(tasks, answers, people)
        written = labeling.written()
        (name, units), *_ = written.items()
        highest = max(highest, units)
        read = sum(labeling.table.read.values()) / labeling.answers
        print(
            f"| {answers} | {labeling.requests / labeling.answers:.2f} "
            f"| {sum(written.values()):.1f} | {read:.1f} | `{name.rpartition('#')[2]}` "
            f"{units:.2f} | {A_SECOND / units:.0f} |"
        )
    met = highest <= MOST_WRITTEN
    print("\n| gate | must reach | measured | |\n|---|---|---|---|")
    print(
        f"| write units a page on one key | ≤ {MOST_WRITTEN:.0f} | {highest:.2f} "
        f"| {'met' if met else '**missed**'} |"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
