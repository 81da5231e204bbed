"""Few gold images: how far confidences are off with 20 and 50 of them, and without.

Prints a section of `benchmarks/consolidation.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_sets import Truth, drawn, mean_and_error, scores, with_labels
from tessera.tiling.consensus import Evidence, consolidate

GOLD = (20, 50)
DEPTH = 3
LARGE = 300
"""Labeled images of a crowd from which on its ECE is known to a point or two."""
Pair = tuple[float, float]
"""ECE of the same images without gold and with it."""


def calibrations(known: Truth, seed: int) -> list[Pair]:
    """Return by `GOLD` the ECE, without and with so many gold images, of the labels of the others.

    Both are of the others: images fewer by fifty have an ECE that is higher by up to a point.
    """
    three = drawn(known, DEPTH, seed)
    labeled = np.random.default_rng(seed).permutation(np.flatnonzero(known.truth >= 0))
    without = consolidate(three.crowd, probabilities=True)
    pairs = []
    for gold in GOLD:
        truth, others = np.full(known.crowd.images, -1, np.int16), known.truth.copy()
        truth[labeled[:gold]] = known.truth[labeled[:gold]]
        others[labeled[:gold]] = -1
        with_gold = consolidate(three.crowd, evidence=Evidence(known=truth), probabilities=True)
        without_ece, with_ece = (
            scores(others, one.label, one.probabilities)["ece"] for one in (without, with_gold)
        )
        pairs.append((without_ece, with_ece))
    return pairs


def gold_section(
    images: list[Truth], anonymous: list[Truth], draws: int, gate: Callable[[str, bool], str]
) -> None:
    """Print the ECE by number of gold images; `anonymous` crowds came without workers.

    Of image crowds there are four times as many draws: which twenty images are gold decides.
    """
    enough = with_labels([*images, *anonymous], 2 * max(GOLD), "Few gold images")
    sets = {known.name: known for known in enough}
    if not sets:
        return
    large = {name for name, known in sets.items() if (known.truth >= 0).sum() >= LARGE}
    unnamed = {known.name for known in anonymous}
    turns = {name: draws if name in unnamed else 4 * draws for name in sets}
    # crowds x draws x number of gold images x (without, with)
    ece = {
        name: np.array([calibrations(known, seed) for seed in range(turns[name])])
        for name, known in sets.items()
    }
    print(f"\n### Few gold images: ECE at {DEPTH} answers, {4 * draws} draws\n")
    print("Without and with so many gold images, both of the labels of all others.\n")
    print("| crowd | " + " | ".join(f"{gold} gold | apart" for gold in GOLD) + " |")
    print("|---|" + "---|---|" * len(GOLD))
    for name, of_set in ece.items():
        print(f"| {name} | " + " | ".join(map(_cells, of_set.swapaxes(0, 1))) + " |")
    apart = {name: (of_set[..., 1] - of_set[..., 0]).mean(axis=0) for name, of_set in ece.items()}
    mean, error = mean_and_error([float(one[0]) for one in apart.values()])
    print(f"\n20 gold images, against none: {mean:+.2f} ± {error:.2f}.\n")
    print("| gate | must reach | measured | reached |\n|---|---|---|---|")
    if large:
        worst = max(float(apart[name][0]) for name in large)
        mark = gate("20 gold images", worst <= 0.7)
        print(f"| worst of crowds of {LARGE} images | ≤ +0.7 | {worst:+.1f} | {mark} |")
    for name in unnamed & {*sets}:
        value = float(ece[name][:, 0, 1].mean())
        mark = gate(f"20 gold images, {name}", value <= 4)
        print(f"| {name} | ≤ 4 | {value:.1f} | {mark} |")


def _cells(pairs: NDArray[np.float64]) -> str:
    """Return the means of draws (draws x 2), and how far they are apart with the standard error."""
    mean, error = mean_and_error((pairs[:, 1] - pairs[:, 0]).tolist())
    without, with_gold = pairs.mean(axis=0)
    return f"{without:.1f} → {with_gold:.1f} | {mean:+.1f} ± {error:.1f}"
