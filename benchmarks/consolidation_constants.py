"""Move each tuned constant of the consolidation, one at a time, and measure what that does.

Usage: python benchmarks/consolidation_constants.py [--draws N] [--crowds DIR]

DIR is as for benchmarks/consolidation.py. Prints the tables of
docs/decisions/consensus-constants.md; there are no gates.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.consolidation import DEPTHS, EVERY, mean, own_scores, synthetic
from benchmarks.crowd_sets import CROWDS, Scores, Truth, drawn, image_folders, load_all, scores
from tessera.tiling.consensus import (
    Evidence,
    class_prior,
    confidence,
    consolidate,
    crowd,
    em,
    hierarchical,
    methods,
    result,
    worker_shrinkage,
)
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES

FITTED = replace(RULES[NEWEST_RULES], min_gold=1)
"""Rules by which any gold is used."""

MOVED: list[tuple[ModuleType, str, tuple[Any, ...]]] = [
    (em, "MAX_ITERATIONS", (5, 10, 100)),
    (em, "TOLERANCE", (1e-3, 1e-5)),
    (em, "VOTE_SMOOTHING", (0.001, 0.1)),
    (hierarchical, "POOLED_SHRINKAGE", (20.0, 80.0)),
    (hierarchical, "ERROR_LABEL_SMOOTHING", (5.0, 20.0)),
    (hierarchical, "PRIOR_ACCURACY", (0.7, 0.9)),
    (hierarchical, "ERROR_RATE_SHRINKAGE", (5.0, 20.0)),
    (hierarchical, "OWN_ANSWERS_SHARE", (0.0, 0.06)),
    (hierarchical, "FIT_VOTE_WEIGHT", (0.15, 0.6)),
    (hierarchical, "PREDICT_VOTE_WEIGHT", (0.5, 0.8)),
    (class_prior, "STANDARD_ERRORS", (1.0, 3.0)),
    (class_prior, "PRIOR_AGREEMENT_IMAGES", (1.0, 30.0)),
    (confidence, "RHO", (0.5, 0.8)),
    (worker_shrinkage, "PRIOR_CORRELATION", (0.05, 0.2)),
    (worker_shrinkage, "PRIOR_PAIRS", (10.0, 100.0)),
    (worker_shrinkage, "MIN_SHRINKAGE", (1.0, 4.0)),
    (worker_shrinkage, "MAX_SHRINKAGE", (8.0, 32.0)),
    (result, "VOTES_AGAINST_ONE", (2, EVERY)),
]
SPEED: list[tuple[ModuleType, str, tuple[Any, ...]]] = [
    (em, "SAMPLE_IMAGES", (25_000, 100_000, 500_000)),
    (em, "FINAL_PASSES", (2, 3)),
    (crowd, "BLOCK_SIZE", (4_096, 65_536)),
    (class_prior, "SAMPLE_IMAGES", (10_000, 100_000)),
    (worker_shrinkage, "SAMPLE_IMAGES", (10_000, 100_000)),
]


@contextmanager
def moved(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Give a constant another value, in its own module and in those that have imported it."""
    before = getattr(module, name)
    holders = [module]
    if name == "RHO":
        holders += [methods, worker_shrinkage]
    if name == "FIT_VOTE_WEIGHT":
        holders.append(worker_shrinkage)
    for holder in holders:
        setattr(holder, name, value)
    if name in ("TOLERANCE", "MAX_ITERATIONS"):  # the defaults of a class that is made already
        vars(methods)["EM"] = partial(em.EM, **{name.lower(): value})
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, before)
        vars(methods)["EM"] = em.EM


def accuracy_row(drawings: dict[int, list[Truth]]) -> str:
    """Return accuracy by answers an image, and ECE and NLL at three, as cells of a table."""
    measured = {depth: [own_scores(known) for known in drawings[depth]] for depth in DEPTHS}
    cells = [f"{mean(measured[depth], 'accuracy'):.1f}" for depth in DEPTHS]
    return " | ".join(
        [*cells, f"{mean(measured[3], 'ece'):.1f}", f"{mean(measured[3], 'nll'):.3f}"]
    )


def constants_section(drawings: dict[int, list[Truth]]) -> None:
    """Print what each constant does on crowds whose truth is known."""
    print("| constant | accuracy at 2 | 3 | 5 | all | ECE at 3 | NLL at 3 |")
    print("|---|---|---|---|---|---|---|")
    print(f"| as they are | {accuracy_row(drawings)} |")
    for module, name, values in MOVED:
        for value in values:
            with moved(module, name, value):
                print(f"| {name} {value:g} | {accuracy_row(drawings)} |", flush=True)


def iterations_section(drawings: dict[int, list[Truth]]) -> None:
    """Print how many iterations EM takes to converge."""
    taken: list[int] = []
    m_step, count = hierarchical.m_step, 0

    def counted(*given: Any, **more: Any) -> em.Model:
        nonlocal count
        count += 1
        return m_step(*given, **more)

    hierarchical.m_step = counted
    for known in (known for depth in DEPTHS for known in drawings[depth]):
        count = 0
        consolidate(known.crowd)
        taken.append(count)
    hierarchical.m_step = m_step
    low, middle, high = np.percentile(taken, [5, 50, 95])
    print(
        f"\nEM takes {middle:.0f} iterations ({low:.0f} to {high:.0f} in nine of ten crowds, ",
        end="",
    )
    print(f"{max(taken)} at most).")


def gold_section(drawings: list[Truth]) -> None:
    """Print how the confidence of the other images fares with some gold."""
    real = [known for known in drawings if known.crowd.images >= 200]
    simulated = [synthetic(20_000)] * 5
    print("\n| gold images, LOG_RHO_SD | ECE, real crowds | NLL | ECE, simulated crowd | NLL |")
    print("|---|---|---|---|---|")
    for golds in (0, 10, 20, 50, 100):
        for deviation in (0.25, 0.5, 1.0) if golds else (0.5,):
            cells = []
            for crowds in (real, simulated):
                with moved(confidence, "LOG_RHO_SD", deviation):
                    measured = [with_gold(known, golds, seed) for seed, known in enumerate(crowds)]
                cells += [f"{mean(measured, 'ece'):.1f}", f"{mean(measured, 'nll'):.3f}"]
            print(f"| {golds}, {deviation:g} | {' | '.join(cells)} |", flush=True)


def with_gold(known: Truth, golds: int, seed: int) -> Scores:
    """Return the scores of the images that are not gold, with so many gold images at random."""
    chosen = np.random.default_rng(seed).permutation(known.crowd.images)[:golds]
    gold, others = np.full(known.crowd.images, -1, np.int16), known.truth.copy()
    gold[chosen], others[chosen] = known.truth[chosen], -1
    consensus = consolidate(known.crowd, evidence=Evidence(gold, rules=FITTED), probabilities=True)
    return scores(others, consensus.label, consensus.probabilities)


def speed_section(images: int) -> None:
    """Print what the sizes of samples and blocks cost and give."""
    known = synthetic(images)
    consolidate(known.crowd)  # the first run pays for fresh memory
    print(f"\n| constant, {images:,} images | seconds | accuracy |\n|---|---|---|")
    for module, name, value in [
        (em, "SAMPLE_IMAGES", em.SAMPLE_IMAGES),
        *((module, name, value) for module, name, values in SPEED for value in values),
    ]:
        with moved(module, name, value):
            started = time.process_time()
            labels = consolidate(known.crowd).label
            seconds = time.process_time() - started
        whose = f"{module.__name__.rpartition('.')[2]}.{name}"
        right = 100 * float((labels == known.truth).mean())
        print(f"| {whose} {value:,} | {seconds:.2f} | {right:.2f} |", flush=True)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--crowds", type=Path, default=CROWDS)
    given = parser.parse_args()
    crowds = load_all(image_folders(given.crowds))
    drawings = {
        depth: [
            drawn(known, depth, seed)
            for known in crowds
            for seed in range(given.draws if depth < EVERY else 1)
        ]
        for depth in DEPTHS
    }
    constants_section(drawings)
    iterations_section(drawings)
    gold_section(drawings[3])
    speed_section(given.images)


if __name__ == "__main__":
    main()
