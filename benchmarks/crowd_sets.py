"""Real crowds whose labels are known, and how their answers are drawn, thinned and scored."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd

CROWDS = Path(
    os.environ.get(
        "TESSERA_CROWDS", Path(__file__).resolve().parents[2] / "shared" / "data" / "crowds"
    )
)
"""Folder of crowds as `NAME/answers.csv.gz` and `NAME/truth.csv.gz`; benchmarks that read some have
nothing to measure without it."""
IMAGES = (
    *("bluebirds", "ducks", "dogs", "faces", "leaves"),
    *("mvh_edge", "mvh_silhouette", "mvh_sketch", "mvh_stylized"),
)
TEXTS = ("cf", "product", "rte", "sp", "web", "zc_us")
ANSWERS_A_WORKER = 200
"""Answers of each worker of CIFAR-10H, whose answers came without workers; they are dealt at
random."""
ANSWERS_AN_IMAGE = 12
"""Answers that are drawn of the fifty that each image of CIFAR-10H has."""


@dataclass(frozen=True)
class Truth:
    """A crowd whose labels are known; `seconds` that its answers took, where they were measured."""

    name: str
    crowd: Crowd
    truth: NDArray[np.int64]
    seconds: NDArray[np.float64] | None = None


Scores = dict[str, float]


def folders_of(crowds: Path, names: tuple[str, ...], *, or_all: bool = True) -> list[Path]:
    """Return the folders of these crowds that are there, or, without any, of all crowds."""
    if named := [crowds / name for name in names if (crowds / name).is_dir()]:
        return named
    return [path.parent for path in sorted(crowds.glob("*/answers.csv.gz"))] if or_all else []


def load(folder: Path) -> Truth:
    """Read a crowd from its two files."""
    with gzip.open(folder / "answers.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(folder / "truth.csv.gz", "rt") as file:
        known = {int(row["task"]): int(row["truth"]) for row in csv.DictReader(file)}
    table = np.array([(int(r["task"]), int(r["worker"]), int(r["label"])) for r in rows])
    tasks, image = np.unique(table[:, 0], return_inverse=True)
    workers, worker = np.unique(table[:, 1], return_inverse=True)
    truth = np.array([known.get(int(task), -1) for task in tasks])
    classes = int(max(table[:, 2].max(), truth.max())) + 1
    crowd = Crowd(
        len(tasks),
        len(workers),
        classes,
        image.astype(np.int32),
        worker.astype(np.int32),
        table[:, 2].astype(np.int8),
    )
    timed = "seconds" in rows[0]
    seconds = np.array([float(r["seconds"] or "nan") for r in rows]) if timed else None
    return Truth(folder.name, crowd, truth, seconds)


def load_counts(folder: Path, seed: int = 0) -> Truth:
    """Draw a crowd from a table of answers by image and class, which names no workers."""
    counts = np.load(folder / "counts.npy").astype(np.int64)
    with (folder / "truth.csv").open() as file:
        rows = [[int(cell) for cell in row] for row in csv.reader(file) if row[-1].isdigit()]
    truth = np.array([row[-1] for row in rows])
    chance = np.random.default_rng(seed)
    image = np.repeat(np.arange(len(counts), dtype=np.int32), counts.sum(axis=1))
    label = np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    workers = max(len(counts) * ANSWERS_AN_IMAGE // ANSWERS_A_WORKER, 1)
    worker = chance.integers(0, workers, len(image)).astype(np.int32)
    crowd = Crowd(len(counts), workers, counts.shape[1], image, worker, label.astype(np.int8))
    return drawn(Truth(folder.name, crowd, truth), ANSWERS_AN_IMAGE, seed)


def drawn(known: Truth, answers: int, seed: int) -> Truth:
    """Draw so many answers of each image at random, in random order."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(known.crowd))
    image = known.crowd.image[order]
    by_image = np.argsort(image, kind="stable")
    sorted_ = image[by_image]
    first = np.searchsorted(sorted_, sorted_)
    kept = order[np.sort(by_image[np.arange(len(sorted_)) - first < answers])]
    seconds = None if known.seconds is None else known.seconds[kept]
    return Truth(known.name, rows_of(known.crowd, kept), known.truth, seconds)


def rows_of(crowd: Crowd, rows: NDArray[np.int64]) -> Crowd:
    """Return the crowd with these answers alone."""
    return replace(
        crowd, image=crowd.image[rows], worker=crowd.worker[rows], label=crowd.label[rows]
    )


def images_of(known: Truth, images: NDArray[np.int64]) -> Truth:
    """Return the crowd with these images alone, numbered anew."""
    place = np.full(known.crowd.images, -1, np.int32)
    place[images] = np.arange(len(images), dtype=np.int32)
    rows = np.flatnonzero(place[known.crowd.image] >= 0)
    kept = rows_of(known.crowd, rows)
    crowd = replace(kept, images=len(images), image=place[kept.image])
    seconds = None if known.seconds is None else known.seconds[rows]
    return Truth(known.name, crowd, known.truth[images], seconds)


def thinned(
    known: Truth, share: float, seed: int, *, images: int = 200, others: int = 10
) -> Truth | None:
    """Draw images so that the commonest class has this share of them, or None.

    None is where fewer than `images`, or fewer than `others` of other classes, are left, or where
    the class already has a larger share.
    """
    labeled = np.flatnonzero(known.truth >= 0)
    common = int(np.bincount(known.truth[labeled]).argmax())
    chance = np.random.default_rng(seed)
    of_it = chance.permutation(labeled[known.truth[labeled] == common])
    rare = chance.permutation(labeled[known.truth[labeled] != common])
    if len(of_it) > share * len(labeled):
        return None
    kept = round(len(of_it) * (1 - share) / share)
    if kept < others or len(of_it) + kept < images:
        return None
    chosen = np.sort(np.concatenate([of_it, rare[:kept]]))
    return replace(images_of(known, chosen), name=f"{known.name} {share:.0%}")


def shares_of(known: Truth) -> NDArray[np.float64]:
    """Return the true classes' shares of the labeled images."""
    counts = np.bincount(known.truth[known.truth >= 0], minlength=known.crowd.classes)
    return np.asarray(counts / counts.sum())


def scores(truth: NDArray[np.int64], label: NDArray[Any], p: NDArray[Any] | None) -> Scores:
    """Return accuracy, mean recall of the classes and ECE in percent, and NLL."""
    known = truth >= 0
    right = label[known] == truth[known]
    classes = truth[known]
    recalls = [right[classes == number].mean() for number in np.unique(classes)]
    result = {"accuracy": 100 * float(right.mean()), "recall": 100 * float(np.mean(recalls))}
    if p is not None:
        confidence = p[known].max(axis=1)
        result["ece"] = 100 * calibration_error(confidence, right)
        of_truth = np.maximum(p[known, truth[known]].astype(np.float64), 1e-6)
        result["nll"] = float(-np.log(of_truth).mean())
    return result


def calibration_error(confidence: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in 15 bins."""
    bins = np.minimum((confidence * 15).astype(int), 14)
    return sum(
        float((bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean()))
        for b in np.unique(bins)
    )


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Return the mean over sets and its standard error."""
    array = np.array(values)
    error = array.std(ddof=1) / np.sqrt(len(array)) if len(array) > 1 else float("nan")
    return float(array.mean()), float(error)
