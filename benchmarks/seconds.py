"""Seconds of answers: what they tell of single answers, as weights and as a rule of asking.

Prints a section of `benchmarks/consolidation.py`. Only crowds whose answers were timed have a part
in it; all of them saw one image at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_sets import Scores, Truth, drawn, mean_and_error, rows_of, scores
from benchmarks.worker_memory import turns
from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.consensus.pace import answer_weights, quantiles, slow_answers

SHARES = (0.2, 0.35, 0.5)


def weighed(known: Truth) -> Crowd:
    """Return the crowd with each answer weighed by its seconds."""
    assert known.seconds is not None
    return replace(known.crowd, weight=answer_weights(known.crowd.worker, known.seconds))


def measure(known: Truth, seed: int) -> dict[str, float]:
    """Return the figures of one draw."""
    row: dict[str, float] = {}
    for depth in (1, 2, 3, 5):
        one = drawn(known, depth, seed)
        for way, crowd in (("plain", one.crowd), ("weighed", weighed(one))):
            row |= {f"{way} {depth} {k}": v for k, v in scored(one, crowd).items()}
    three = drawn(known, 3, seed)
    assert three.seconds is not None
    turn = turns(three)
    first = turn == 0
    for share in SHARES:
        slow = np.zeros(three.crowd.images, np.bool_)
        late = first & slow_answers(three.crowd.worker, three.seconds, share)
        slow[three.crowd.image[late]] = True
        for way, chosen in (
            ("slowest", slow),
            ("random", np.random.default_rng(seed).random(len(slow)) < slow.mean()),
        ):
            right, answers = asked(three, chosen)
            row |= {f"{way} {share}": right, f"{way} {share} answers": answers}
    assert known.seconds is not None
    q = quantiles(known.crowd.worker, known.seconds)
    truth = known.truth[known.crowd.image]
    for number in range(4):
        rows = (truth >= 0) & (np.minimum(np.floor(q * 4), 3) == number)
        right = (known.crowd.label == truth)[rows]
        row[f"quarter {number}"] = 100 * float(right.mean()) if len(right) else np.nan
    return row


def scored(known: Truth, crowd: Crowd) -> Scores:
    """Return the scores of a crowd's labels."""
    consensus = consolidate(crowd, probabilities=True)
    return scores(known.truth, consensus.label, consensus.probabilities)


def asked(three: Truth, second: NDArray[np.bool_]) -> tuple[float, float]:
    """Ask a second answer of these images and a third where the two differ."""
    turn, image, label = turns(three), three.crowd.image, three.crowd.label
    answers = np.full((3, three.crowd.images), -1)
    for number in range(3):
        rows = turn == number
        answers[number, image[rows]] = label[rows]
    differ = second & (answers[0] != answers[1]) & (answers[1] >= 0)
    kept = (turn == 0) | ((turn == 1) & second[image]) | ((turn == 2) & differ[image])
    rows = np.flatnonzero(kept)
    crowd = rows_of(three.crowd, rows)
    label_of = consolidate(crowd).label
    return scores(three.truth, label_of, None)["accuracy"], len(rows) / three.crowd.images


def seconds_section(sets: list[Truth], draws: int) -> None:
    """Print what seconds tell, where they were measured."""
    timed = [known for known in sets if known.seconds is not None]
    if not timed:
        return
    rows = [
        {key: float(np.mean([row[key] for row in one])) for key in one[0]}
        for one in ([measure(known, seed) for seed in range(draws)] for known in timed)
    ]

    def mean(key: str) -> float:
        known = [row[key] for row in rows if not np.isnan(row[key])]
        return float(np.mean(known)) if known else np.nan

    print(f"\n### Seconds of answers: {len(timed)} crowds of images that were timed\n")
    quarters = ", ".join(f"{mean(f'quarter {number}'):.1f} %" for number in range(4))
    print(f"Right by quarter of the worker's own seconds, the fastest first: {quarters}.\n")
    print("| answers | score | plain | weighed by seconds | difference |\n|---|---|---|---|---|")
    for depth in (1, 2, 3, 5):
        for score in ("accuracy", "ece", "nll"):
            key = f"{depth} {score}"
            apart, error = mean_and_error(
                [row[f"weighed {key}"] - row[f"plain {key}"] for row in rows]
            )
            figures = f"{mean(f'plain {key}'):.2f} | {mean(f'weighed {key}'):.2f}"
            print(f"| {depth} | {score} | {figures} | {apart:+.2f} ± {error:.2f} |")
    print("\n| second answer for | answers | right | as many at random | two for all |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        print(
            f"| the slowest {share:.0%} | {mean(f'slowest {share} answers'):.2f} "
            f"| {mean(f'slowest {share}'):.2f} | {mean(f'random {share}'):.2f} "
            f"@ {mean(f'random {share} answers'):.2f} | {mean('plain 2 accuracy'):.2f} |"
        )
