"""Memory of workers: images halved at random, the earlier half teaches who the workers are.

Prints a section of `benchmarks/consolidation.py`. The earlier half has three answers an image, the
later one is scored, with and without what was learned in the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_sets import (
    Scores,
    Truth,
    drawn,
    images_of,
    mean_and_error,
    rows_of,
    scores,
    with_labels,
)
from tessera.tiling.consensus import Consensus, Evidence, Floats, consolidate
from tessera.tiling.consensus.memory import count_answers

DECAY = 0.5
GAIN = 0.05
MOST = 3
LEAST_LABELS = 40
"""Labeled images of a crowd from which on each half can be scored."""


def halves(known: Truth, seed: int) -> tuple[Truth, Truth]:
    """Split a crowd's images at random."""
    order = np.random.default_rng(seed).permutation(known.crowd.images)
    middle = len(order) // 2
    return images_of(known, np.sort(order[:middle])), images_of(known, np.sort(order[middle:]))


def remembered(earlier: Truth, seed: int) -> Floats:
    """Return what three answers an image tell of the workers."""
    three = drawn(earlier, 3, seed).crowd
    return DECAY * count_answers(three, consolidate(three, probabilities=True))


def scored(known: Truth, evidence: Evidence) -> tuple[Scores, Consensus]:
    """Return the scores of a crowd, and its consensus."""
    consensus = consolidate(known.crowd, evidence=evidence, probabilities=True)
    return scores(known.truth, consensus.label, consensus.probabilities), consensus


def turns(known: Truth) -> NDArray[np.int64]:
    """Return which turn each answer has at its image, as they came."""
    image = known.crowd.image
    order = np.argsort(image, kind="stable")
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.searchsorted(image[order], image[order])
    return turn


def third_by_gain(three: Truth, evidence: Evidence) -> tuple[Scores, float]:
    """Ask two, and a third where it should gain; return the scores and the answers an image."""
    turn = turns(three)
    two = replace(three, crowd=rows_of(three.crowd, np.flatnonzero(turn < 2)))
    gain = scored(two, evidence)[1].gain
    rows = np.flatnonzero((turn < 2) | (gain[three.crowd.image] > GAIN))
    asked = replace(three, crowd=rows_of(three.crowd, rows))
    return scored(asked, evidence)[0], len(rows) / three.crowd.images


Row = dict[str, float]


def measure(known: Truth, seed: int) -> Row:
    """Return the figures of one draw, without memory and with it."""
    earlier, later = halves(known, seed)
    ways = {"without": Evidence(), "with": Evidence(earlier=remembered(earlier, seed))}
    row: Row = {}
    three = drawn(later, MOST, seed)
    for way, evidence in ways.items():
        for depth in (1, 2, 3):
            one, _ = scored(drawn(later, depth, seed), evidence)
            row |= {f"{way} {depth} {score}": value for score, value in one.items()}
        one, answers = third_by_gain(three, evidence)
        row |= {f"{way} gain": one["accuracy"], f"{way} answers": answers}
    return row


def memory_section(sets: list[Truth], draws: int, gate: Callable[[str, bool], str]) -> None:
    """Print what memory changes, and its gates."""
    sets = with_labels(sets, LEAST_LABELS, "Memory of workers")
    if not sets:
        return
    rows = [
        {key: float(np.mean([row[key] for row in one])) for key in one[0]}
        for one in ([measure(known, seed) for seed in range(draws)] for known in sets)
    ]

    def apart(score: str) -> str:
        mean, error = mean_and_error(
            [row[f"with {score}"] - row[f"without {score}"] for row in rows]
        )
        return f"{mean:+.2f} ± {error:.2f}"

    def mean(key: str) -> float:
        return float(np.mean([row[key] for row in rows]))

    print(f"\n### Memory of workers: the later half of {len(rows)} crowds\n")
    print("| answers | score | without | with | difference |\n|---|---|---|---|---|")
    for depth in (1, 2, 3):
        for score in ("accuracy", "ece", "nll"):
            key = f"{depth} {score}"
            figures = f"{mean(f'without {key}'):.2f} | {mean(f'with {key}'):.2f}"
            print(f"| {depth} | {score} | {figures} | {apart(key)} |")
    lost = {
        way: mean_and_error([row[f"{way} gain"] - row["without 3 accuracy"] for row in rows])
        for way in ("without", "with")
    }
    for way, (loss, error) in lost.items():
        answers = mean(f"{way} answers")
        print(f"| {answers:.2f}, two and then by gain | {way} | | {loss:+.2f} ± {error:.2f} | |")
    print("\n| gate | must reach | measured | reached |\n|---|---|---|---|")
    ratio = mean("with 1 ece") / max(mean("without 1 ece"), 0.01)  # of one class both are zero
    print(f"| ECE at 1 | ≤ 0.65 x | {ratio:.2f} | {gate('memory, ECE at 1', ratio <= 0.65)} |")
    lower = mean("without 1 nll") - mean("with 1 nll")
    print(f"| NLL at 1, lower by | 0.10 | {lower:.2f} | {gate('memory, NLL at 1', lower >= 0.1)} |")
    better = lost["with"][0] - lost["without"][0]
    cheap = mean("with answers") <= mean("without answers") + 0.005
    mark = gate("memory, two and then by gain", better >= 0.35 and cheap)
    print(f"| two, then by gain, better by | 0.35, no more answers | {better:+.2f} | {mark} |")
