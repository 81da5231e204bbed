"""Copied answers: a simulated crowd of which some hand in one another's.

Prints a section of `benchmarks/consolidation.py`; each draw has 1,000 images of ten classes, three
answers each, 30 workers of Beta(8, 2) skill and 15 % hard images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_sets import Truth, drawn
from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.consensus.copies import only_label
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES

IMAGES, WORKERS, CLASSES, ANSWERS = 1000, 30, 10, 3
DEPTHS = (2, 3, 5)


def colluding(share: float, seed: int) -> tuple[Truth, NDArray[np.bool_]]:
    """Simulate a crowd of which a share of workers give one list of random labels."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, CLASSES, IMAGES)
    hard = chance.random(IMAGES) < 0.15
    skill = chance.beta(8, 2, WORKERS)
    copies = np.arange(WORKERS) < round(share * WORKERS)
    image = np.repeat(np.arange(IMAGES, dtype=np.int32), ANSWERS)
    worker = np.argsort(chance.random((IMAGES, WORKERS)), axis=1)[:, :ANSWERS].ravel()
    right = chance.random(len(image)) < np.where(hard[image], 0.6, 1) * skill[worker]
    wrong = (truth[image] + chance.integers(1, CLASSES, len(image))) % CLASSES
    label = np.where(right, truth[image], wrong)
    shared = chance.integers(0, CLASSES, IMAGES)
    label = np.where(copies[worker], shared[image], label).astype(np.int8)
    crowd = Crowd(IMAGES, WORKERS, CLASSES, image, worker.astype(np.int32), label)
    return Truth("copies", crowd, truth), copies


def copies_section(real: list[Truth], draws: int, gate: Callable[[str, bool], str]) -> None:
    """Print what copies do, and whether honest workers are taken for them."""
    print("\n### Workers who hand in one another's answers\n")
    print("| share | each counts | right | too bold by | in groups | of them copies |")
    print("|---|---|---|---|---|---|")
    figures: dict[float, list[float]] = {}
    for share in (0.0, 0.1, 0.3, 0.5):
        for way, weigh in (("alone", False), ("as one", True)):
            rows = [measure(share, seed, weigh=weigh) for seed in range(draws)]
            figures[share] = np.mean(rows, axis=0).tolist()
            right, bold, grouped, caught = figures[share]
            of_them = f"{grouped:.1f} | {caught:.1f}"
            print(f"| {share:.0%} | {way} | {right:.1f} | {bold:+.1f} | {of_them} |")
    alarms = [
        f"{known.name} at {depth}" for known in real for depth in DEPTHS if _copies(known, depth)
    ]
    print("\n| gate | must reach | measured | reached |\n|---|---|---|---|")
    for share, least in ((0.3, 66.0), (0.5, 0.0)):
        right, bold, _, _ = figures[share]
        reached = gate(f"copies, {share:.0%}", right >= least and bold <= 12)
        must, figure = f"{least:.0f} %, ≤ 12 too bold", f"{right:.1f}, {bold:+.1f}"
        print(f"| {share:.0%} copies | {must} | {figure} | {reached} |")
    mark = gate("no real crowd has copies", not alarms)
    print(f"| real crowds at 2, 3, 5 with copies | none | {', '.join(alarms) or 'none'} | {mark} |")


def _copies(known: Truth, depth: int) -> list[list[int]]:
    """Return the groups of a real crowd who are taken for copies, not for giving one label."""
    crowd = drawn(known, depth, 0).crowd
    return [group for group in consolidate(crowd).copies if not only_label(crowd, group)]


def measure(share: float, seed: int, *, weigh: bool) -> tuple[float, float, int, int]:
    """Return accuracy, how far confidence is above it, workers in groups, and copies of them."""
    known, copies = colluding(share, seed)
    rules = replace(RULES[NEWEST_RULES], weigh_copies=weigh)
    consensus = consolidate(known.crowd, evidence=Evidence(rules=rules))
    right = 100 * float((consensus.label == known.truth).mean())
    grouped = [worker for group in consensus.copies for worker in group]
    bold = 100 * float(consensus.confidence.mean()) - right
    return right, bold, len(grouped), int(copies[grouped].sum())
