"""Several labels an image: real workers' answers to two pictures as one answer of up to two labels.

No public crowd with truth gives images several labels, so they are composed: two pictures of a
single-label crowd that the same workers answered become one image, and what each of them answered
to the two is their set. People, their errors and which images are hard are real; only that both
were asked on one image is not. Three answers an image are drawn, and one consensus a label is held
against the majority of yes and no.

The third of them is then asked in a second round, of the images in doubt: for all labels of each,
or page by page for those labels alone that are in doubt of any image on the page.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.crowd_sets import CROWDS as FOLDER
from benchmarks.crowd_sets import calibration_error, load
from benchmarks.labeling_effort.hand import KEY
from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.label_sets import Asked, SetConsensus, consolidate_sets
from tessera.tiling.grouping.doubts import shared_pages
from tessera.tiling.grouping.orders import even_sizes
from tessera.tiling.method_names import Method
from tessera.tiling.settings import settings_from

CROWDS = ("dogs", "faces", "leaves", "mvh_edge", "mvh_silhouette", "mvh_sketch", "mvh_stylized")
ANSWERS = 3
METHODS: tuple[Method, ...] = ("majority", "dawid-skene", "hierarchical")
MOST_BELOW = 0.2
"""Points by which fewer labels than majority's may be right: ten draws of a crowd differ by as
much (docs/decisions/multi-label-binary.md)."""
PRESS = 1.14
"""Seconds of the hand for the press on a picture that has the one label of a page, as the section
"What it takes to give several labels" has them: 1.42 s a page, without its Enter."""
MOST_MOTOR = 0.8
"""Share of the whole pictures' seconds of the hand that a round of labels in doubt may take."""
SETTINGS = settings_from({"task": "multi", "labels": ["yes", "no"]})
"""Settings by their defaults: images a page, and the gain above which an image is asked again."""
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
    reached = gates(figures)
    sys.exit(not (second_rounds(folders, quick=quick) and reached))


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
    return print_gates(rows)


def print_gates(rows: list[tuple[str, str, str, bool]]) -> bool:
    """Print gates with what was measured, and return whether all are reached."""
    print("\n| gate | must reach | measured | reached |\n|---|---|---|---|")
    for name, must, figure, reached in rows:
        print(f"| {name} | {must} | {figure} | {'✓' if reached else '**no**'} |")
    return all(reached for *_, reached in rows)


class SecondRound(NamedTuple):
    """What a second round asked, what it took, and how many labels are right after it, in percent.

    `labels` counts yes-or-no questions: images by the labels that their page asks. `motor` are
    seconds of the hand by the model of `labeling_effort`: a key for each yes and each picture, or
    on pages of one label, where that is less, a press for each yes and one key.
    """

    pages: float
    images: float
    labels: float
    motor: float
    right: float


def ask_again(sets: Sets, first: SetConsensus, bound: float, *, by_label: bool) -> SecondRound:
    """Ask the third answers of the images of which a label has a larger gain than `bound`."""
    crowd, truth = sets
    doubts = first.in_doubt(bound) & first.labeled[:, None]
    images = np.flatnonzero(doubts.any(axis=1))
    bits = doubts[images] @ (1 << np.arange(crowd.classes, dtype=np.int64))
    asked = np.zeros(crowd.images, np.int64)
    third = crowd.label[2::ANSWERS]
    motor, pages = 0.0, 0
    for page in _pages(images, bits if by_label else np.full(len(bits), (1 << crowd.classes) - 1)):
        asked[images[page]] = union = np.bitwise_or.reduce(bits[page]) if by_label else -1
        yes = int(np.bitwise_count(third[images[page]] & union).sum())
        keys, presses = (len(page) + yes) * KEY, yes * PRESS + KEY
        motor += min(keys, presses) if by_label and int(union).bit_count() == 1 else keys
        pages += 1
    rows = np.repeat(asked, ANSWERS)
    rows.reshape(-1, ANSWERS)[:, :2] = -1  # the first round asked everything
    was_asked = rows != 0
    consensus = consolidate_sets(crowd.answers(was_asked), asked=rows[was_asked])
    every = (1 << crowd.classes) - 1
    labels = int(np.bitwise_count(asked & every).sum())
    right = 100 * float((consensus.has == truth).mean())
    return SecondRound(pages, len(images), labels, motor, right)


def _pages(images: NDArray[np.int64], bits: Asked) -> list[NDArray[np.int64]]:
    """Return the places of the images on each page of a later round."""
    order = np.argsort(bits, kind="stable")
    pages = []
    most = SETTINGS.images_per_task
    for part in shared_pages(np.zeros(len(images), np.int64), bits[order], most):
        cuts = np.cumsum(even_sizes(len(part), -(-len(part) // most)))[:-1]
        pages += np.split(order[part], cuts)
    return pages


def compare(sets: Sets) -> list[SecondRound]:
    """Return the second rounds of whole pictures, of labels in doubt, and of as many seconds.

    The last one asks labels of a smaller gain, too, as long as it takes no more of the hand than
    the whole pictures do.
    """
    crowd, _ = sets
    first_two = np.arange(len(crowd)) % ANSWERS < 2
    first = consolidate_sets(crowd.answers(first_two))
    bound = SETTINGS.gain
    whole = ask_again(sets, first, bound, by_label=False)
    doubts = ask_again(sets, first, bound, by_label=True)
    low, high, equal = 0.0, bound, doubts
    for _ in range(5):
        middle = (low + high) / 2
        more = ask_again(sets, first, middle, by_label=True)
        if more.motor <= whole.motor:
            high, equal = middle, more
        else:
            low = middle
    return [whole, doubts, equal]


def second_rounds(folders: list[Path], *, quick: bool) -> bool:
    """Print what second rounds ask, take and give, and return whether gates are reached."""
    print("\n### A second round: whole pictures, or their labels in doubt\n")
    print(
        "Two answers in the first round, and the third where a label's gain is above the bound of"
    )
    print("the settings, by the default method; pages of 20. Seconds are those of the hand by the")
    print(
        "model of `labeling_effort`. The third way asks labels of a smaller gain, too, for as many"
    )
    print("seconds as whole pictures take.\n")
    print("| crowd | asked again | pages | images | labels asked | motor s | labels right |")
    print("|---|---|---|---|---|---|---|")
    ways = ("whole pictures", "labels in doubt", "… for equal seconds")
    means = []
    for folder in folders:
        draws = [compare(composed(folder, seed)) for seed in range(1 if quick else 10)]
        mean = np.mean(np.array(draws), axis=0)
        means.append(mean)
        for way, row in zip(ways, mean.tolist(), strict=True):
            pages, images, labels, motor, right = row
            print(f"| {folder.name} | {way} | {pages:.1f} | {images:.0f} | {labels:.0f} "
                  f"| {motor:.0f} | {right:.2f} |")  # fmt: skip
    return second_gates(np.array(means))


def second_gates(means: NDArray[np.float64]) -> bool:
    """Print what second rounds must reach, by their means (crowds x ways x figures)."""
    whole, doubts, equal = means.transpose(1, 0, 2)
    motor = float((doubts[:, 3] / whole[:, 3]).mean())
    pages = float((doubts[:, 0] - whole[:, 0]).max())
    same, of_equal = float((doubts - whole)[:, 4].mean()), float((equal - whole)[:, 4].mean())
    asked = float((doubts[:, 2] / whole[:, 2]).mean())
    least = f"≥ −{MOST_BELOW}"
    rows = [
        ("pages more than whole pictures take, worst", "0", f"{pages:.1f}", pages <= 0),
        ("labels asked, of the whole pictures'", "≤ 0.75", f"{asked:.2f}", asked <= 0.75),
        ("motor, of the whole pictures'", f"≤ {MOST_MOTOR}", f"{motor:.2f}", motor <= MOST_MOTOR),
        ("labels right, over whole pictures", least, f"{same:+.2f}", same >= -MOST_BELOW),
        ("labels right at equal seconds", least, f"{of_equal:+.2f}", of_equal >= -MOST_BELOW),
    ]
    return print_gates(rows)


if __name__ == "__main__":
    main()
