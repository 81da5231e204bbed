"""Simulate crowds with careless workers, with and without a bound on their gold images.

Prints a section of Markdown. Run it from the project's root:

    python benchmarks/live_control.py

A page has 20 images, two or four of them gold. A worker does 60 pages, or fewer if they are
stopped; then the others do the pages that are left. Honest workers are right on 80 to 98 % of
images, careless ones choose at random among the labels. Why these numbers:
docs/decisions/live-control.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.live_control import StopBelow

CASES = ((2, 4, StopBelow(right=0.75)), (5, 2, StopBelow(right=0.7)))
"""Labels, gold images a page and the bound: who chooses at random among two labels is right on half
of the images, so that it takes more gold images to tell."""
WORKERS, PAGES, IMAGES, ANSWERS = 40, 60, 18, 2
CROWDS = 20
CONSOLIDATED = 4
"""Crowds whose answers are consolidated, which takes most of the time."""


def stopped_after(rule: StopBelow, gold: int, accuracy: float, rng: np.random.Generator) -> int:
    """Return the pages that a worker of this accuracy does before they are stopped, or PAGES."""
    right = np.cumsum(rng.binomial(gold, accuracy, PAGES))
    for page, count in enumerate(right.tolist(), start=1):
        if rule.is_surely_below(count, page * gold):
            return page
    return PAGES


def crowd_accuracy(
    accuracy: np.ndarray, pages: np.ndarray, classes: int, rng: np.random.Generator
) -> float:
    """Return the share of right labels, at as many answers, if workers do so many pages."""
    images = WORKERS * PAGES * IMAGES // ANSWERS
    truth = rng.integers(classes, size=images)
    # Pages left by the stopped are shared out among those who go on.
    weights = np.where(pages == PAGES, pages.astype(float), 0)
    missing = WORKERS * PAGES - pages.sum()
    share = pages + missing * weights / max(weights.sum(), 1)
    image = np.repeat(np.arange(images, dtype=np.int32), ANSWERS)
    worker = rng.choice(WORKERS, size=len(image), p=share / share.sum()).astype(np.int32)
    same = worker[0::2] == worker[1::2]  # nobody sees an image twice
    worker[1::2][same] = (worker[1::2][same] + 1) % WORKERS
    is_right = rng.random(len(image)) < accuracy[worker]
    other = (truth[image] + rng.integers(1, classes, size=len(image))) % classes
    label = np.where(is_right, truth[image], other).astype(np.int16)
    consensus = consolidate(Crowd(images, WORKERS, classes, image, worker, label))
    return float((consensus.label == truth).mean())


MOST_HONEST = 0.01
"""Share of honest workers that may be stopped by mistake."""
MOST_PAGES = 0.2
"""Share of their usual pages that careless workers may do on average before they are stopped."""


def measure(classes: int, gold: int, rule: StopBelow, share: float, crowds: int) -> list[float]:
    """Return the figures of one row: for careless workers, honest ones, and the labels."""
    rng = np.random.default_rng(7)
    before, honest, caught, plain, control = [], [], [], [], []
    for crowd in range(crowds):
        accuracy = rng.uniform(0.8, 0.98, WORKERS)
        careless = np.arange(WORKERS) < share * WORKERS
        accuracy[careless] = 1 / classes
        pages = np.array([stopped_after(rule, gold, each, rng) for each in accuracy])
        before += (pages[careless] / PAGES).tolist()
        caught += (pages[careless] < PAGES).tolist()
        honest += (pages[~careless] < PAGES).tolist()
        if crowd >= CONSOLIDATED:
            continue
        plain.append(crowd_accuracy(accuracy, np.full(WORKERS, PAGES), classes, rng))
        control.append(crowd_accuracy(accuracy, pages, classes, rng))
    means = [float(np.mean(each)) for each in (before, caught, honest, plain, control)]
    return [means[0], float(np.quantile(before, 0.95)), *means[1:]]


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="One crowd: whether it runs, not what it measures.")
def main(quick: bool) -> None:
    """Print the section, and end with status 1 if it missed its mark."""
    print("## Live control\n")
    print(
        f"Simulated: {WORKERS} workers, {PAGES} pages each, some of them careless, who choose at "
        f"random; {CROWDS} crowds a row. How far careless workers come before `stop_below` stops "
        f"them (less than {MOST_PAGES:.0%} of their pages on average), how many honest ones are "
        f"stopped by mistake ({MOST_HONEST:.0%} at most), and what labels gain at equal answers.\n"
    )
    print(
        "| labels | gold a page | bound | careless | their pages (mean, 95th percentile) | stopped "
        "| honest stopped | right labels without | with |\n|---|---|---|---|---|---|---|---|---|"
    )
    missed = False
    for classes, gold, rule in CASES:
        for share in (0.1, 0.3):
            crowds = 1 if quick else CROWDS
            mean, slow, caught, honest, plain, control = measure(classes, gold, rule, share, crowds)
            missed |= mean >= MOST_PAGES or honest > MOST_HONEST
            print(
                f"| {classes} | {gold} | {rule.right:.0%} | {share:.0%} | {mean:.1%}, {slow:.1%} | "
                f"{caught:.1%} | {honest:.2%} | {plain:.2%} | {control:.2%} |"
            )
    sys.exit(missed and not quick)


if __name__ == "__main__":
    main()
