"""Few gold images: how far confidences are off with none, 20 and 50 of them, scored on the others.

Prints a section of `benchmarks/consolidation.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.crowd_sets import Truth, drawn, mean_and_error, scores
from tessera.tiling.consensus import Evidence, consolidate

GOLD = (0, 20, 50)
DEPTH = 3
LARGE = 300
"""Labeled images of a crowd from which on its ECE is known to a point or two."""


def calibration(known: Truth, gold: int, seed: int) -> float:
    """Return the ECE of labels of three answers, of all images but so many gold ones."""
    three = drawn(known, DEPTH, seed)
    labeled = np.random.default_rng(seed).permutation(np.flatnonzero(known.truth >= 0))[:gold]
    truth = np.full(known.crowd.images, -1, np.int16)
    truth[labeled] = known.truth[labeled]
    others = known.truth.copy()
    others[labeled] = -1
    consensus = consolidate(three.crowd, evidence=Evidence(known=truth), probabilities=True)
    return scores(others, consensus.label, consensus.probabilities)["ece"]


def gold_section(
    images: list[Truth], anonymous: list[Truth], draws: int, gate: Callable[[str, bool], str]
) -> None:
    """Print the ECE by number of gold images; `anonymous` crowds came without workers."""
    sets = {known.name: known for known in (*images, *anonymous)}
    ece = {
        name: [
            float(np.mean([calibration(known, gold, seed) for seed in range(draws)]))
            for gold in GOLD
        ]
        for name, known in sets.items()
    }
    print(f"\n### Few gold images: ECE at {DEPTH} answers\n")
    print("| crowd | " + " | ".join(f"{gold} gold" for gold in GOLD) + " |")
    print("|---|" + "---|" * len(GOLD))
    for name, row in ece.items():
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
    mean, error = mean_and_error([row[1] - row[0] for name, row in ece.items()])
    print(f"\n20 gold images, against none: {mean:+.2f} ± {error:.2f}.\n")
    print("| gate | must reach | measured | reached |\n|---|---|---|---|")
    large = {name for name, known in sets.items() if (known.truth >= 0).sum() >= LARGE}
    worst = max(row[1] - row[0] for name, row in ece.items() if name in large)
    mark = gate("20 gold images", worst <= 0.7)
    print(f"| worst of crowds of {LARGE} images | ≤ +0.7 | {worst:+.1f} | {mark} |")
    for known in anonymous:
        value = ece[known.name][1]
        mark = gate(f"20 gold images, {known.name}", value <= 4)
        print(f"| {known.name} | ≤ 4 | {value:.1f} | {mark} |")
