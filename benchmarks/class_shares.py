"""Class shares: crowds of which one class is common, by the votes, by the rule and as stated.

Prints a section of `benchmarks/consolidation.py`. Real crowds are thinned, seeded, until their
commonest class has 99, 95, 90, 70 or 50 % of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.crowd_sets import (
    Scores,
    Truth,
    drawn,
    mean_and_error,
    scores,
    shares_of,
    thinned,
)
from tessera.tiling.consensus import Evidence, consolidate
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES

COMMON = (0.99, 0.95, 0.90, 0.70, 0.50)
DEPTHS = (2, 3)
WAYS: dict[str, Callable[[Truth], Evidence]] = {
    # the rules before class shares, but for these: gold is not measured here
    "as even as votes allow": lambda _: Evidence(
        rules=replace(RULES[NEWEST_RULES], follow_skew=False)
    ),
    "by the skew of the votes": lambda _: Evidence(),
    "shares stated": lambda known: Evidence(shares=shares_of(known)),
}
BASE, RULE, STATED = WAYS
Gate = Callable[[str, bool], str]
Measured = dict[tuple[str, int], dict[str, Scores]]
"""Scores by way and answers an image, then by set: means of the draws."""


def skewed_sets(sets: list[Truth], seed: int) -> Iterator[Truth]:
    """Yield each set thinned to each share that it can be thinned to."""
    for known in sets:
        for share in COMMON:
            one = thinned(known, share, seed)
            if one is not None:
                yield one


def measure(draw_sets: Callable[[int], Iterator[Truth]], draws: int) -> Measured:
    """Score every way on every set: means of so many draws of images and answers."""
    all_: dict[tuple[str, int], dict[str, list[Scores]]] = {}
    for seed in range(draws):
        for known in draw_sets(seed):
            for depth in DEPTHS:
                crowd = drawn(known, depth, seed)
                for way, beside in WAYS.items():
                    consensus = consolidate(crowd.crowd, evidence=beside(known), probabilities=True)
                    one = scores(known.truth, consensus.label, consensus.probabilities)
                    all_.setdefault((way, depth), {}).setdefault(known.name, []).append(one)
    return {
        key: {
            name: {score: float(np.mean([one[score] for one in ones])) for score in ones[0]}
            for name, ones in by_set.items()
        }
        for key, by_set in all_.items()
    }


def differences(measured: Measured, way: str, depth: int, score: str) -> tuple[float, float]:
    """Return how far a way is from the base, as mean over sets and standard error."""
    mine, base = measured[way, depth], measured[BASE, depth]
    return mean_and_error([mine[name][score] - base[name][score] for name in mine])


def table(title: str, measured: Measured) -> None:
    """Print what each way reaches, with the distance from the base."""
    sets = len(measured[BASE, DEPTHS[0]])
    print(f"\n### {title}: {sets} sets\n")
    print(
        "| class prior | answers | accuracy | − base | mean recall | − base | ECE | − base | NLL |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for way in WAYS:
        for depth in DEPTHS:
            cells = []
            for score in ("accuracy", "recall", "ece"):
                value = np.mean([one[score] for one in measured[way, depth].values()])
                apart, error = differences(measured, way, depth, score)
                cells += [f"{value:.2f}", f"{apart:+.2f} ± {error:.2f}"]
            nll = np.mean([one["nll"] for one in measured[way, depth].values()])
            print(f"| {way} | {depth} | {' | '.join(cells)} | {nll:.3f} |")


def shares_section(images: list[Truth], others: list[Truth], draws: int, gate: Gate) -> None:
    """Print skewed and balanced crowds, and their gates; `others` are balanced or of text."""
    sets = [*images, *others]
    skewed = measure(lambda seed: skewed_sets(sets, seed), draws)
    if skewed:
        table("Crowds of which one class is common", skewed)
        by_share(skewed)
    else:
        print("\nNo crowd is large enough to be thinned to one common class: not measured.")
    even = measure(lambda _: iter(images), draws)
    table("The image crowds as they are", even)
    print("\n| gate | must reach | measured | reached |\n|---|---|---|---|")
    for depth, must, stated in zip(DEPTHS, (3.5, 1.5), (5.5, 5.5), strict=True):
        for name, measured, way, score, least in (
            (f"skewed, by the votes, at {depth}", skewed, RULE, "accuracy", must),
            (f"mean recall, skewed, at {depth}", skewed, RULE, "recall", 0.0),
            (f"ECE lower, skewed, at {depth}", skewed, RULE, "ece", 2.5),
            (f"shares stated, skewed, at {depth}", skewed, STATED, "accuracy", stated),
            (f"shares stated, balanced, at {depth}", even, STATED, "accuracy", 0.0),
            (f"image crowds, by the votes, at {depth}", even, RULE, "accuracy", -0.1),
        ):
            if not measured:
                continue
            apart, error = differences(measured, way, depth, score)
            apart = -apart if score == "ece" else apart
            mark = gate(name, apart >= least)
            print(f"| {name} | {least:+.1f} | {apart:+.2f} ± {error:.2f} | {mark} |")


def by_share(measured: Measured) -> None:
    """Print the accuracies by the share of the common class."""
    print("\n| common class | sets | answers | " + " | ".join(WAYS) + " |")
    print("|---|---|---|" + "---|" * len(WAYS))
    for share in COMMON:
        names = [name for name in measured[BASE, DEPTHS[0]] if name.endswith(f" {share:.0%}")]
        for depth in DEPTHS if names else ():
            cells = [
                f"{np.mean([measured[way, depth][name]['accuracy'] for name in names]):.2f}"
                for way in WAYS
            ]
            print(f"| {share:.0%} | {len(names)} | {depth} | {' | '.join(cells)} |")
