"""Real crowds whose labels are known, and how their answers are drawn, thinned and scored."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd

CROWDS = Path(
    os.environ.get(
        "TESSERA_CROWDS", Path(__file__).resolve().parents[2] / "shared" / "data" / "crowds"
    )
)
"""Folder of crowds as `NAME/answers.csv.gz` and `NAME/truth.csv.gz`, or `.csv`; benchmarks that
read some have nothing to measure without it."""
Columns = tuple[tuple[str, ...], ...]
IMAGES = (
    *("bluebirds", "ducks", "dogs", "faces", "leaves"),
    *("mvh_edge", "mvh_silhouette", "mvh_sketch", "mvh_stylized"),
)
TEXTS = ("cf", "product", "rte", "sp", "web", "zc_us")
SECONDS = ("seconds", "time")
COLUMNS: Columns = (
    ("task", "item", "image"),
    ("worker", "annotator", "performer"),
    ("label", "answer"),
    SECONDS,
)
"""Columns of answers, by any of these names; seconds may be missing."""
TRUTH = ("truth", "label", "gold")
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


class Answer(NamedTuple):
    """One answer as a file has it; its seconds are not a number where nobody measured them."""

    task: str
    worker: str
    label: str
    seconds: float


class NoCrowdError(ValueError):
    """Raised where a folder holds no crowd that can be measured; says why."""


def image_folders(crowds: Path) -> list[Path]:
    """Return the folders of crowds of images: all that are not known as texts, if there are any."""
    folders = _folders(crowds)
    return [one for one in folders if one.name not in TEXTS] or folders


def text_folders(crowds: Path) -> list[Path]:
    """Return the folders of known crowds of text that are not taken for those of images."""
    images = image_folders(crowds)
    return [one for one in _folders(crowds) if one not in images]


def _folders(crowds: Path) -> list[Path]:
    """Return the folders that hold answers: known ones first, in their order, then by name."""
    known = [*IMAGES, *TEXTS]
    names = {path.parent.name for path in crowds.glob("*/answers.csv*")}
    return [crowds / name for name in (*known, *sorted(names - {*known})) if name in names]


def load_all(folders: list[Path]) -> list[Truth]:
    """Read crowds; those that cannot be measured are left out, and that is printed with why."""
    crowds = []
    for folder in folders:
        try:
            crowds.append(load(folder))
        except NoCrowdError as error:
            print(f"`{folder.name}` is left out: {error}.\n")
    return crowds


def with_labels(sets: list[Truth], least: int, section: str) -> list[Truth]:
    """Return the crowds with so many images of a known label; print which are left out of it."""
    large = [known for known in sets if int((known.truth >= 0).sum()) >= least]
    small = [f"`{known.name}`" for known in sets if known not in large]
    if small:
        names = ", ".join(small)
        print(f"\n{section}: without {names}, of less than {least} images with a known label.")
    return large


def load(folder: Path) -> Truth:
    """Read a crowd from its two files, whatever its tasks, workers and labels are called.

    An empty answer is none, and of a worker's answers to one task the first counts. Labels that are
    small whole numbers are the numbers of the classes. Raises NoCrowdError.
    """
    answers = [
        Answer(task, worker, label, _number(seconds))
        for task, worker, label, seconds in _read(folder, "answers", COLUMNS)
        if label
    ]
    firsts = {(one.task, one.worker): place for place, one in reversed([*enumerate(answers)])}
    answers = [answers[place] for place in sorted(firsts.values())]
    known = {task: label for task, label in _read(folder, "truth", (COLUMNS[0], TRUTH)) if label}
    if not answers or not known:
        raise NoCrowdError("it has no answers" if known else "no true label is known")
    classes = _class_numbers({one.label for one in answers} | {*known.values()})
    tasks = _in_order({one.task for one in answers})
    workers = _in_order({one.worker for one in answers})
    truth = np.array([classes[known[task]] if task in known else -1 for task in tasks])
    if (truth < 0).all():
        raise NoCrowdError("of none of its answered tasks the true label is known")
    crowd = Crowd(
        len(tasks),
        len(workers),
        max(classes.values()) + 1,
        np.array([tasks[one.task] for one in answers], np.int32),
        np.array([workers[one.worker] for one in answers], np.int32),
        np.array([classes[one.label] for one in answers], np.int16),
    )
    seconds = np.array([one.seconds for one in answers])
    return Truth(folder.name, crowd, truth, None if np.isnan(seconds).all() else seconds)


def _read(folder: Path, name: str, columns: Columns) -> list[list[str]]:
    """Return the wanted columns of a file; of a column that may be missing the text is empty."""
    path = next(iter(sorted(folder.glob(f"{name}.csv*"))), None)
    if path is None:
        raise NoCrowdError(f"{name}.csv.gz is not there")
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise NoCrowdError(f"{path.name} cannot be read ({error})") from error
    places = [
        next((header.index(one) for one in names if one in header), None) for names in columns
    ]
    for names, place in zip(columns, places, strict=True):
        if place is None and names != SECONDS:
            raise NoCrowdError(f"{path.name} has no column {names[0]!r} but {', '.join(header)}")
    return [
        ["" if place is None or place >= len(row) else row[place].strip() for place in places]
        for row in rows
    ]


def _number(text: str) -> float:
    """Return the seconds of an answer, not a number where they were not measured."""
    try:
        seconds = float(text)
    except ValueError:
        return float("nan")
    return seconds if 0 <= seconds < float("inf") else float("nan")


def _class_numbers(labels: set[str]) -> dict[str, int]:
    """Return the number of each class: that it is called by, or its place among the names."""
    if all(label.isascii() and label.isdigit() and len(label) <= 3 for label in labels):
        return {label: int(label) for label in labels}
    return {label: number for number, label in enumerate(sorted(labels))}


def _in_order(names: set[str]) -> dict[str, int]:
    """Number names, those that are whole numbers in their order."""
    whole = all(name.isascii() and name.isdigit() for name in names)
    ordered = sorted(names, key=lambda name: (int(name) if whole else 0, name))
    return {name: number for number, name in enumerate(ordered)}


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
    if not known.any():  # such as where all images whose labels are known are gold
        return dict.fromkeys(("accuracy", "recall", *(() if p is None else ("ece", "nll"))), np.nan)
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
