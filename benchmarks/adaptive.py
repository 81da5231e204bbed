"""Asking again only where it is unsure: accuracy against answers an image, rounds against fixed.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/adaptive.py [--quick] [--crowds FOLDER] [--plot docs/adaptive.svg]

The answers are those of real crowds, drawn in random order as if workers came by, and those of a
simulated crowd. FOLDER holds a folder a set, with answers.csv.gz (task,worker,label) and
truth.csv.gz (task,truth); without it only the simulated crowd is measured, and that is said.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.crowd_sets import CROWDS, Truth, image_folders, load_all, rows_of, scores
from benchmarks.first_offers import measure, offers_section
from tessera.tiling.consensus import Crowd, consolidate

GAINS = (0.12, 0.1, 0.08, 0.07, 0.05, 0.04, 0.03, 0.02, 0.01)
FIRST = 2
DRAWS_OF_QUEUES = 100
"""Draws of the queue of first offers: of small crowds, four people answer a draw. With twenty the
means with memory are off by half a point and more, which is as much as they are to show."""


@dataclass(frozen=True)
class Point:
    """What one policy reached: answers an image and the share of right labels."""

    answers: float
    accuracy: float


def simulated(images: int, seed: int) -> Truth:
    """Ten classes, 200 workers of Beta(8, 2) skill, a tenth of them clicking at random."""
    random = np.random.default_rng(seed)
    classes, workers, each = 10, 200, 7
    skill = random.beta(8, 2, workers)
    skill[: workers // 10] = 1 / classes
    truth = random.integers(classes, size=images)
    lookalike = (truth + random.integers(1, classes, images)) % classes
    image = np.repeat(np.arange(images), each)
    worker = np.argsort(random.random((images, workers)), axis=1)[:, :each].ravel()
    hard = (random.random(images) < 0.15)[image]
    right = random.random(len(image)) < np.where(hard, 0.5 * skill[worker], skill[worker])
    astray = np.where(
        random.random(len(image)) < 0.6,
        lookalike[image],
        (truth[image] + random.integers(1, classes, len(image))) % classes,
    )
    label = np.where(right, truth[image], astray)
    crowd = Crowd(
        *(images, workers, classes),
        *(image.astype(np.int32), worker.astype(np.int32), label.astype(np.int8)),
    )
    return Truth("simulated", crowd, truth)


def in_turn(known: Truth, seed: int) -> NDArray[np.int64]:
    """Which turn each answer has at its image, in a random order of arrival."""
    image = known.crowd.image
    order = np.lexsort((np.random.default_rng(seed).random(len(image)), image))
    counts = np.bincount(image, minlength=known.crowd.images)
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return turn


def judged(known: Truth, asked: NDArray[np.bool_]) -> tuple[Point, NDArray[np.float32]]:
    """Consolidate these answers; returns the point and the gain expected of one more for each."""
    crowd = rows_of(known.crowd, np.flatnonzero(asked))
    consensus = consolidate(crowd)
    accuracy = scores(known.truth, consensus.label, None)["accuracy"]
    return Point(len(crowd) / crowd.images, accuracy), consensus.gain


def disagreeing(known: Truth, seed: int) -> float:
    """Return the share of images whose first two answers differ, which votes would ask again.

    Of a crowd with one answer an image there are none.
    """
    turn = in_turn(known, seed)
    first, second = (
        dict(zip(known.crowd.image[rows].tolist(), known.crowd.label[rows].tolist(), strict=True))
        for rows in (turn == 0, turn == 1)
    )
    return mean([float(first[image] != label) for image, label in second.items()] or [0.0])


def fixed(known: Truth, turn: NDArray[np.int64], each: int) -> Point:
    """So many answers to every image."""
    return judged(known, turn < each)[0]


def rounds(known: Truth, turn: NDArray[np.int64], gain: float, most: int) -> Point:
    """Two answers to every image, then one more where the gain is above, up to the most."""
    wanted = np.full(known.crowd.images, FIRST)
    for _ in range(most - FIRST + 1):
        point, gains = judged(known, turn < wanted[known.crowd.image])
        again = (gains > gain) & (wanted < most)
        if not again.any():
            break
        wanted[again] += 1
    return point


def measured(sets: list[Truth], draws: int) -> dict[str, Point]:
    """Every policy's point: the mean over the sets of the means over the draws."""
    curves: dict[str, list[list[Point]]] = {}
    for known in sets:
        mine: dict[str, list[Point]] = {}
        for seed in range(draws):
            turn = in_turn(known, seed)
            for name, point in _policies(known, turn):
                mine.setdefault(name, []).append(point)
        for name, points in mine.items():
            curves.setdefault(name, []).append(points)
    return {
        name: Point(
            mean(mean(point.answers for point in points) for points in of_sets),
            mean(mean(point.accuracy for point in points) for points in of_sets),
        )
        for name, of_sets in curves.items()
    }


def _policies(known: Truth, turn: NDArray[np.int64]) -> Iterator[tuple[str, Point]]:
    for each in range(1, 6):
        yield f"fixed {each}", fixed(known, turn, each)
    for most in (3, 5):
        for gain in GAINS:
            yield f"gain > {gain}, at most {most}", rounds(known, turn, gain, most)


GATES = (
    ("gain > 0.05, at most 3", "fixed 3", 2.30),
    ("gain > 0.05, at most 5", "fixed 4", 2.60),
)
"""The policy, what it must come within 0.2 points of, and the answers an image it may take."""


def section(title: str, points: dict[str, Point], *, gated: bool) -> tuple[str, bool]:
    """Return a table, and whether every gate is met."""
    lines = [f"### {title}", "", "| policy | answers an image | right labels |", "|---|---|---|"]
    lines += [f"| {name} | {p.answers:.2f} | {p.accuracy:.2f} % |" for name, p in points.items()]
    met = True
    if gated:
        lines += ["", "| gate | must reach | measured | |", "|---|---|---|---|"]
        for policy, against, most in GATES:
            mine, theirs = points[policy], points[against]
            fits = mine.accuracy >= theirs.accuracy - 0.2 and mine.answers <= most
            met &= fits
            lines.append(
                f"| {policy} | {against} less 0.2 points ({theirs.accuracy - 0.2:.2f} %) "
                f"with ≤ {most:.2f} answers | {mine.accuracy:.2f} % with {mine.answers:.2f} "
                f"| {'met' if fits else '**missed**'} |"
            )
    return "\n".join([*lines, ""]), met


def plot(points: dict[str, Point]) -> str:
    """Draw the policies as SVG: answers to the right, accuracy upward, one line a family."""
    low = min(point.accuracy for point in points.values()) - 0.5
    high = max(point.accuracy for point in points.values()) + 0.5

    def place(point: Point) -> tuple[float, float]:
        return 60 + (point.answers - 1) / 4 * 560, 330 - (point.accuracy - low) / (high - low) * 300

    families = {
        "the same number for every image": ("fixed", "#777777"),
        "by gain, at most 3": ("at most 3", "#1b6ca8"),
        "by gain, at most 5": ("at most 5", "#b3541e"),
    }
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 390" role="img" '
        'font-family="sans-serif" font-size="12">',
        "<title>Right labels against answers an image</title>",
        '<rect width="660" height="390" fill="#ffffff"/>',
    ]
    for each in range(1, 6):
        x = 60 + (each - 1) / 4 * 560
        parts.append(f'<line x1="{x}" y1="30" x2="{x}" y2="330" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{x}" y="348" text-anchor="middle">{each}</text>')
    for share in range(int(low) + 1, int(high) + 1):
        y = place(Point(1, share))[1]
        parts.append(f'<line x1="60" y1="{y:.1f}" x2="620" y2="{y:.1f}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="52" y="{y + 4:.1f}" text-anchor="end">{share} %</text>')
    parts.append('<text x="340" y="372" text-anchor="middle">answers an image</text>')
    for row, (title, (mark, color)) in enumerate(families.items()):
        line = sorted(place(point) for name, point in points.items() if mark in name)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in line]
        y = 262 + 20 * row
        parts.append(f'<rect x="400" y="{y - 9}" width="12" height="10" fill="{color}"/>')
        parts.append(f'<text x="418" y="{y}">{title}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Measure, print, and say whether the gates are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one draw, a small simulated crowd")
    parser.add_argument("--crowds", type=Path, default=CROWDS, help="folder of real answers")
    parser.add_argument("--plot", type=Path, help="write the plot of the real crowds here")
    options = parser.parse_args()
    draws = 1 if options.quick else 20
    print("## Asking again only where it is unsure\n")
    print(
        f"The method is `hierarchical`; a round asks one worker more where the expected gain is "
        f"above the bound. Means of {draws} random order{'s' if draws > 1 else ''} of arrival. "
        "A real set with fewer answers than the most stops where it has no more.\n"
    )
    met = True
    sets = load_all(image_folders(options.crowds))
    if sets:
        points = measured(sets, draws)
        text, met = section(f"{len(sets)} sets of images, real crowds", points, gated=True)
        print(text)
        apart = mean(disagreeing(known, seed) for known in sets for seed in range(draws))
        print(
            f"Of these sets' images {apart:.0%} have two first answers that differ; one answer "
            f"alone is right for {points['fixed 1'].accuracy:.0f} %.\n"
        )
        met &= offers_section(measure(sets, 1 if options.quick else DRAWS_OF_QUEUES))
        if options.plot:
            options.plot.write_text(plot(points), encoding="utf-8")
    else:
        print(
            "No real crowds: name their folder in TESSERA_CROWDS. Their gates are not measured.\n"
        )
    images = 2_000 if options.quick else 20_000
    points = measured([simulated(images, seed=7)], 1 if options.quick else 2)
    print(section(f"A simulated crowd, {images:,} images", points, gated=False)[0])
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
