"""Several labels an image: real workers' answers to two pictures as one answer of up to two labels.

No public crowd with truth gives images several labels, so they are composed: two pictures of a
single-label crowd that the same workers answered become one image, and what each of them answered
to the two is their set. People, their errors and which images are hard are real; only that both
were asked on one image is not. Three answers an image are drawn, and one consensus a label is held
against the majority of yes and no.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.crowd_sets import CROWDS as FOLDER
from benchmarks.crowd_sets import calibration_error, load
from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.label_sets import consolidate_sets
from tessera.tiling.method_names import Method

CROWDS = ("dogs", "faces", "leaves", "mvh_edge", "mvh_silhouette", "mvh_sketch", "mvh_stylized")
ANSWERS = 3
METHODS: tuple[Method, ...] = ("majority", "dawid-skene", "hierarchical")
MOST_BELOW = 0.2
"""Points by which fewer labels than majority's may be right: ten draws of a crowd differ by as
much (docs/decisions/multi-label-binary.md)."""
Sets = tuple[Crowd, NDArray[np.bool_]]
"""A crowd of sets, and which labels each image has (images x labels)."""


def composed(folder: Path, seed: int) -> Sets:
    """Pair pictures that at least `ANSWERS` workers share, and draw so many of their answers."""
    known, chance = load(folder), np.random.default_rng(seed)
    answers: defaultdict[int, dict[int, int]] = defaultdict(dict)
    columns = (known.crowd.image, known.crowd.worker, known.crowd.label)
    for image, worker, label in zip(*(column.tolist() for column in columns), strict=True):
        if label >= 0:
            answers[image].setdefault(worker, label)
    order = chance.permutation(sorted(answers)).tolist()
    free = [image for image in order if known.truth[image] >= 0]
    rows: list[tuple[int, int, int]] = []
    truth: list[list[int]] = []
    while free:
        first = free.pop()
        for place, second in enumerate(free):
            shared = sorted(answers[first].keys() & answers[second].keys())
            if len(shared) >= ANSWERS:
                del free[place]
                for worker in chance.permutation(shared)[:ANSWERS].tolist():
                    chosen = 1 << answers[first][worker] | 1 << answers[second][worker]
                    rows.append((len(truth), worker, chosen))
                truth.append([int(known.truth[first]), int(known.truth[second])])
                break
    table = np.array(rows)
    crowd = Crowd(
        len(truth),
        known.crowd.workers,
        known.crowd.classes,
        table[:, 0].astype(np.int32),
        table[:, 1].astype(np.int32),
        table[:, 2],
    )
    has = np.zeros((len(truth), crowd.classes), np.bool_)
    for image, pair in enumerate(truth):
        has[image, pair] = True
    return crowd, has


def measure(sets: Sets, method: Method) -> list[float]:
    """Return F1 over all labels, whole sets that are right, labels that are right, and the ECE."""
    crowd, truth = sets
    consensus = consolidate_sets(crowd, method)
    both = (consensus.has & truth).sum()
    f1 = 2 * both / (consensus.has.sum() + truth.sum())
    right = consensus.has == truth
    error = calibration_error(consensus.confidence.ravel(), right.ravel())
    whole = right.all(axis=1)
    return [100 * float(f1), 100 * float(whole.mean()), 100 * float(right.mean()), error]


@click.command()
@click.option("--crowds", type=click.Path(path_type=Path), default=FOLDER)
@click.option("--quick", is_flag=True)
def main(crowds: Path, quick: bool) -> None:
    """Print the section, and end with status 1 if the default loses to majority."""
    print("## Several labels an image\n")
    folders = [crowds / name for name in CROWDS if (crowds / name).is_dir()]
    if not folders:
        print("There are no crowds here to measure on (`--crowds DIR`).")
        return
    print("Two pictures of a real crowd that the same workers answered, as one image: three")
    print("answers, ten draws.\n")
    print("| crowd | images | labels | method | F1 | whole sets right | labels right | ECE |")
    print("|---|---|---|---|---|---|---|---|")
    figures: dict[Method, list[list[float]]] = {method: [] for method in METHODS}
    for folder in folders:
        draws = [composed(folder, seed) for seed in range(1 if quick else 10)]
        for method in METHODS:
            mean = np.mean([measure(sets, method) for sets in draws], axis=0).tolist()
            figures[method].append(mean)
            f1, whole, labels, error = mean
            size = f"{draws[0][0].images} | {draws[0][0].classes}"
            print(
                f"| {folder.name} | {size} | {method} | {f1:.1f} | {whole:.1f} | {labels:.1f} "
                f"| {error:.3f} |"
            )
    sys.exit(not gates(figures))


def gates(figures: dict[Method, list[list[float]]]) -> bool:
    """Print what must be reached, and return whether it is."""
    default, majority = np.array(figures["hierarchical"]), np.array(figures["majority"])
    right = default[:, 2] - majority[:, 2]
    error = float(default[:, 3].mean()), float(majority[:, 3].mean())
    mean, worst = float(right.mean()), float(right.min())
    least = f"≥ −{MOST_BELOW}"
    rows = [
        ("labels right over majority, mean", least, f"{mean:+.2f}", mean >= -MOST_BELOW),
        ("labels right over majority, worst", least, f"{worst:+.2f}", worst >= -MOST_BELOW),
        (
            "ECE, mean",
            "≤ half of majority's",
            f"{error[0]:.3f} to {error[1]:.3f}",
            2 * error[0] <= error[1],
        ),
    ]
    print("\n| gate | must reach | measured | reached |\n|---|---|---|---|")
    for name, must, figure, reached in rows:
        print(f"| {name} | {must} | {figure} | {'✓' if reached else '**no**'} |")
    return all(reached for *_, reached in rows)


if __name__ == "__main__":
    main()
