"""A model that learns from the answers: answers an image against accuracy, with it and without.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/guesses.py [--quick] [--data FOLDER] [--peers PYTHON]

FOLDER holds a folder a set, or is one: `embeddings.npy` and `truth.csv` (task,label), with either
`answers.csv` (task,worker,label) or `counts.npy` (images x classes), from which answers are drawn
without replacement, and perhaps `model-probabilities.npy`. Without any, only the made-up rows are
measured, and that is said. PYTHON is an interpreter that has cleanlab, for CROWDLAB.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tessera.tiling.consensus import Consensus, Crowd, Evidence, consolidate
from tessera.tiling.grouping.first_round import choose_seed
from tessera.tiling.guesses import Columns, Guesses, learn
from tessera.tiling.guesses.asking import Judged, decide
from tessera.tiling.guesses.audit import Audit
from tessera.tiling.guesses.ridge import FOLDS, L2_GRID
from tessera.tiling.report.workers import wilson_interval
from tessera.tiling.settings import MIN_SEED_IMAGES, settings_from

DATA = Path(os.environ.get("TESSERA_EMBEDDINGS", ROOT.parent / "shared" / "data" / "embeddings"))
GAIN, SEED_SHARE, SEED_ANSWERS = 0.05, 0.2, 2
ROUNDS = 8
MOST_ANSWERS = 5
AUDIT_DRAWS = 20
DRAWN_ANSWERS = 6
"""Answers drawn of each image where a set has counts: more than any policy asks for."""
Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
missed: list[str] = []


@dataclass(frozen=True)
class Labeled:
    """A crowd in order of arrival with its columns and the truth."""

    name: str
    crowd: Crowd
    truth: Ints
    columns: Columns


@dataclass(frozen=True)
class Score:
    """What a policy reached: percentages but for answers an image and nats."""

    answers: float
    accuracy: float
    recall: float
    ece: float
    unasked: float = 0.0
    nats: float = 0.0


def gate(name: str, reached: bool) -> str:
    """Return the mark of a gate, and remember the gate if it is missed."""
    if not reached:
        missed.append(name)
    return "yes" if reached else "**no**"


# --- sets -------------------------------------------------------------------------------------


def read_sets(folder: Path, seed: int) -> list[Labeled]:
    """Return the sets of a folder, their answers in the random order of the seed."""
    folders = [folder] if (folder / "embeddings.npy").exists() else sorted(folder.glob("*/"))
    sets: list[Labeled] = []
    for path in folders:
        if (path / "embeddings.npy").exists():
            sets += _read_set(path, seed)
    return sets


def _read_set(folder: Path, seed: int) -> list[Labeled]:
    truth = np.array([int(row["label"]) for row in _rows(folder / "truth.csv")])
    if (folder / "counts.npy").exists():
        crowd = _drawn(np.load(folder / "counts.npy"), seed)
    else:
        crowd = _answered(folder / "answers.csv", len(truth), int(truth.max()) + 1)
    crowd = _shuffled(crowd, seed)
    sets = [Labeled(folder.name, crowd, truth, Columns(np.load(folder / "embeddings.npy")))]
    own = folder / "model-probabilities.npy"
    if own.exists():
        columns = Columns(probabilities=np.load(own))
        sets.append(Labeled(f"{folder.name}, own model", crowd, truth, columns))
    return sets


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _answered(path: Path, images: int, classes: int) -> Crowd:
    rows = _rows(path)
    names = {name: number for number, name in enumerate(sorted({row["worker"] for row in rows}))}
    table = np.array(
        [(int(r["task"]), names[r["worker"]], int(r["label"])) for r in rows], np.int32
    )
    classes = max(classes, int(table[:, 2].max()) + 1)
    return Crowd(images, len(names), classes, table[:, 0], table[:, 1], table[:, 2])


def _drawn(counts: Ints, seed: int) -> Crowd:
    chance = np.random.default_rng(seed)
    labels = [
        chance.permutation(np.repeat(np.arange(counts.shape[1]), row))[:DRAWN_ANSWERS]
        for row in counts
    ]
    image = np.repeat(np.arange(len(counts), dtype=np.int32), [len(row) for row in labels])
    label = np.concatenate(labels).astype(np.int32)
    return Crowd(len(counts), 1, counts.shape[1], image, np.zeros_like(image), label)


def _shuffled(crowd: Crowd, seed: int) -> Crowd:
    return rows_of(crowd, np.random.default_rng(seed).permutation(len(crowd)))


def rows_of(crowd: Crowd, rows: NDArray[np.generic]) -> Crowd:
    """Return the crowd with these answers alone."""
    columns = (crowd.image[rows], crowd.worker[rows], crowd.label[rows])
    return Crowd(crowd.images, crowd.workers, crowd.classes, *columns)


def turns(crowd: Crowd) -> tuple[Ints, Ints]:
    """Return, for each answer, how many came to its image before; and how many each image has."""
    order = np.argsort(crowd.image, kind="stable")
    depth = np.bincount(crowd.image, minlength=crowd.images)
    turn = np.empty(len(crowd), np.int64)
    turn[order] = np.arange(len(crowd)) - np.repeat(np.cumsum(depth) - depth, depth)
    return turn, depth


# --- policies ---------------------------------------------------------------------------------

Judge = Callable[[Crowd], tuple[Consensus, Guesses | None]]


def with_model(known: Labeled) -> Judge:
    """Return how answers are judged with a model."""

    def judge(crowd: Crowd) -> tuple[Consensus, Guesses | None]:
        guesses, consensus = learn(known.columns, crowd)
        return consensus, guesses

    return judge


def alone(crowd: Crowd) -> tuple[Consensus, None]:
    """Judge the answers by themselves."""
    return consolidate(crowd), None


def fixed(known: Labeled, answers: int, judge: Judge) -> Score:
    """Ask so many workers about every image."""
    turn, _ = turns(known.crowd)
    asked = rows_of(known.crowd, turn < answers)
    return score(known, asked, *judge(asked))


def by_gain(known: Labeled, judge: Judge) -> Score:
    """Ask `SEED_ANSWERS` workers of every image, then where one more answer gains above `GAIN`."""
    turn, depth = turns(known.crowd)
    wanted = np.full(known.crowd.images, SEED_ANSWERS)
    for round_number in range(1, ROUNDS + 2):
        asked = rows_of(known.crowd, turn < wanted[known.crowd.image])
        consensus, guesses = judge(asked)
        again = (consensus.gain > GAIN) & (wanted < np.minimum(MOST_ANSWERS, depth))
        if round_number > ROUNDS or not again.any():
            break
        wanted[again] += 1
    return score(known, asked, consensus, guesses)


@dataclass(frozen=True)
class Outcome:
    """What a run with a model came to: its score, and what its audit says of what it labeled."""

    score: Score
    audit: Audit | None
    truth: float
    """Share of the labels that are the model's alone that are right, not a number without any."""

    @property
    def interval(self) -> tuple[float, float]:
        """Return the audit's interval, as the report has it."""
        return wilson_interval(self.audit.accuracy, self.audit.effective) if self.audit else (0, 1)


def in_rounds(known: Labeled, least: int) -> Outcome:
    """Run rounds as the pipeline does: its seed, its decisions after each, its audit."""
    images, names = known.crowd.images, [f"class {k}" for k in range(known.crowd.classes)]
    settings = settings_from(
        {"labels": names, "guesses": {"seed": SEED_SHARE, "least": least},
         "max_answers": MOST_ANSWERS, "gain": GAIN}
    )  # fmt: skip
    turn, depth = turns(known.crowd)
    wanted = np.zeros(images, np.int64)
    wanted[choose_seed(np.arange(images), SEED_SHARE, MIN_SEED_IMAGES)] = SEED_ANSWERS
    last = MOST_ANSWERS + 1 + (0 if least else MOST_ANSWERS)  # as `tiling.run` allows
    drawn = None
    for number in range(1, last + 1):
        asked = rows_of(known.crowd, turn < wanted[known.crowd.image])
        guesses, consensus = learn(known.columns, asked)
        judged = Judged(asked, Evidence(), guesses, consensus)
        decision = decide(
            judged, settings, images=wanted < depth, audit=drawn, may_ask=number < last
        )
        if drawn is None and decision.audit is not None and len(decision.audit.images):
            drawn = decision.audit.images
        again = decision.unsure.copy()
        again[decision.audited] = True
        again &= wanted < np.minimum(MOST_ANSWERS, depth)
        if not again.any():
            break
        wanted[again] += 1
    reached = score(known, asked, decision.consensus, guesses)
    right = decision.consensus.label == known.truth
    truth = float(right[decision.by_model].mean()) if decision.by_model.any() else float("nan")
    return Outcome(reached, decision.audit, truth)


def score(known: Labeled, asked: Crowd, consensus: Consensus, guesses: Guesses | None) -> Score:
    """Compare labels with the truth."""
    right = consensus.label == known.truth
    classes = np.unique(known.truth)
    return Score(
        answers=len(asked) / asked.images,
        accuracy=100 * float(right.mean()),
        recall=100 * mean(float(right[known.truth == k].mean()) for k in classes),
        ece=calibration_error(consensus.confidence, right),
        unasked=100 * float((consensus.answers == 0).mean()),
        nats=guesses.nats if guesses else 0.0,
    )


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in percent, in 15 bins."""
    bins = np.minimum((confidence * 15).astype(int), 14)
    parts = [bins == b for b in np.unique(bins)]
    return 100 * sum(
        float(b.mean()) * abs(float(confidence[b].mean()) - float(right[b].mean())) for b in parts
    )


def average(scores: list[Score]) -> Score:
    """Return the mean of several draws."""
    return Score(*(mean(getattr(s, name) for s in scores) for name in Score.__dataclass_fields__))


def line(name: str, reached: Score, mark: str) -> str:
    """Return a row of the table of policies."""
    return (
        f"| {name} | {reached.answers:.2f} | {reached.accuracy:.1f} | {reached.recall:.1f} | "
        f"{reached.ece:.1f} | {reached.unasked:.0f} | {mark} |"
    )


# --- sections ---------------------------------------------------------------------------------


def policies(draws: list[Labeled]) -> list[str]:
    """Return the table of one set: answers and accuracy of each policy, over the draws."""
    rows = {
        "2 answers": [fixed(known, 2, alone) for known in draws],
        "2 answers, model": [fixed(known, 2, with_model(known)) for known in draws],
        "2, then by gain (no model)": [by_gain(known, alone) for known in draws],
        "seed, then least 1, model": [in_rounds(known, 1).score for known in draws],
        "seed, then least 0, audit": [in_rounds(known, 0).score for known in draws],
    }
    name = draws[0].name
    table = [
        "| policy | answers | right | mean recall | ECE | unasked % | reached |",
        "|---" * 7 + "|",
    ]
    for policy, scores in rows.items():
        reached = average(scores)
        required = GATES.get((name, policy))
        mark = ""
        if required:
            answers, accuracy = required
            held = reached.answers <= answers and round(reached.accuracy, 1) >= accuracy
            mark = f"≤ {answers}, ≥ {accuracy}: {gate(f'{name}: {policy}', held)}"
        table.append(line(policy, reached, mark))
    taught = average(rows["2 answers, model"])
    heading = f"### {name}: {len(draws)} draws, the model knows {taught.nats:.2f} nats an answer"
    return [heading, "", *table, ""]


GATES = {
    ("labelme", "2 answers, model"): (2.0, 86.5),
    ("labelme", "seed, then least 1, model"): (1.40, 85.5),
    ("cifar10h", "seed, then least 1, model"): (1.55, 98.0),
    ("cifar10h, own model", "seed, then least 1, model"): (1.55, 98.6),
    ("cifar10h, own model", "seed, then least 0, audit"): (0.95, 98.0),
}
"""Answers an image at most, and percentage of right labels at least, by set and policy."""


def disturbances(draws: list[Labeled]) -> list[str]:
    """Return what becomes of bad columns: least 1 with them beside no model at all.

    The case of a rare class is that of every draw, as one of its 30 images is 1.7 points of the
    mean recall; the others, of thousands of images, are of one.
    """
    known = draws[0]
    assert known.columns.sources
    rows = np.asarray(known.columns.sources[0])
    chance = np.random.default_rng(5)
    shuffled = chance.permutation(rows)
    partly = np.where((chance.random(len(rows)) < 0.3)[:, None], shuffled, rows)
    cases = {
        "all rows shuffled": [replace(known, columns=Columns(shuffled))],
        "30 % of rows shuffled": [replace(known, columns=Columns(partly))],
        "a class surely taken for another": [_surely_wrong(known)],
        f"30 of a class among 1,000 of another, {len(draws)} draws": [_rare(one) for one in draws],
        "60 % of workers share an error": [_shared_error(known)],
    }
    table = [
        "| case | no model: answers, right, mean recall | least 1: answers, right, mean recall "
        "| nats | reached |",
        "|---" * 5 + "|",
    ]
    for name, case in cases.items():
        today = average([by_gain(one, alone) for one in case])
        model = average([in_rounds(one, 1).score for one in case])
        held = model.accuracy >= today.accuracy - 0.5 and model.recall >= today.recall - 1
        table.append(
            f"| {name} | {today.answers:.2f}, {today.accuracy:.1f}, {today.recall:.1f} | "
            f"{model.answers:.2f}, {model.accuracy:.1f}, {model.recall:.1f} | {model.nats:.2f} | "
            f"{gate(f'{known.name}: {name}', held)} |"
        )
    return [f"### {known.name}: columns and crowds that mislead", "", *table, ""]


def _surely_wrong(known: Labeled) -> Labeled:
    """Give a model that is right but for one class, which it surely takes for another."""
    classes = known.crowd.classes
    claimed = np.where(known.truth == 1, 2 % classes, known.truth)
    p = np.full((len(claimed), classes), 0.0045 / max(classes - 1, 1), np.float32)
    p[np.arange(len(claimed)), claimed] = 0.9955
    return replace(known, columns=Columns(probabilities=p))


def _rare(known: Labeled) -> Labeled:
    """Keep 30 images of one class and up to 1,000 of another."""
    first, second = np.flatnonzero(known.truth == 0)[:30], np.flatnonzero(known.truth == 1)[:1000]
    return _subset(known, np.concatenate([first, second]))


def _subset(known: Labeled, images: Ints) -> Labeled:
    """Return the set with these images alone."""
    number = np.full(known.crowd.images, -1, np.int32)
    number[images] = np.arange(len(images))
    asked = rows_of(known.crowd, number[known.crowd.image] >= 0)
    crowd = replace(asked, images=len(images), image=number[asked.image])
    columns = Columns(*(None if c is None else np.asarray(c)[images] for c in (
        known.columns.embeddings, known.columns.probabilities)))  # fmt: skip
    return replace(known, crowd=crowd, truth=known.truth[images], columns=columns)


def _shared_error(known: Labeled) -> Labeled:
    """Let three of five workers call every second image of a class by the name of another."""
    chance = np.random.default_rng(7)
    images = known.crowd.images
    workers = 50
    image = np.repeat(np.arange(images, dtype=np.int32), DRAWN_ANSWERS)
    worker = chance.integers(0, workers, len(image)).astype(np.int32)
    wrong = chance.random(len(image)) > 0.85
    label = np.where(
        wrong, chance.integers(0, known.crowd.classes, len(image)), known.truth[image]
    ).astype(np.int32)
    misled = (worker < 0.6 * workers) & (known.truth[image] == 2) & (image % 2 == 0)
    label[misled] = 1
    crowd = Crowd(images, workers, known.crowd.classes, image, worker, label)
    return replace(known, crowd=_shuffled(crowd, 7))


def audits(draws: list[Labeled]) -> list[str]:
    """Return how often an audit's interval holds the truth, and what it costs in mean recall."""
    table = ["| set | audited: right | interval | truth | held |", "|---" * 5 + "|"]
    held, recalls, before = [], [], []
    for known in draws:
        outcome = in_rounds(known, 0)
        assert outcome.audit is not None
        low, high = outcome.interval
        # an audit that missed leaves nothing to the model, and claims nothing
        held.append(bool(np.isnan(outcome.truth) or low <= outcome.truth <= high))
        recalls.append(outcome.score.recall)
        before.append(by_gain(known, alone).recall)
        table.append(
            f"| {known.name} | {100 * outcome.audit.accuracy:.1f} | {100 * low:.1f} to "
            f"{100 * high:.1f} | {100 * outcome.truth:.1f} | {'yes' if held[-1] else 'no'} |"
        )
    enough = gate("audit: intervals", sum(held) >= 0.9 * len(held))
    kept = gate("audit: mean recall", mean(recalls) >= mean(before) - 1)
    return [
        f"### {draws[0].name}: the audit, {len(draws)} draws", "", *table, "",
        f"Held in {sum(held)} of {len(held)}, 18 of 20 wanted: {enough}. Mean recall "
        f"{mean(recalls):.1f}, {mean(before):.1f} without a model, a point less allowed: {kept}.",
        "",
    ]  # fmt: skip


# --- CROWDLAB ---------------------------------------------------------------------------------


def beside_crowdlab(draws: list[Labeled], python: str) -> list[str]:
    """Return accuracy and ECE of CROWDLAB on the same out-of-fold probabilities, and ours."""
    ours: list[float] = []
    theirs: list[float] = []
    ours_ece: list[float] = []
    theirs_ece: list[float] = []
    for known in draws:
        turn, _ = turns(known.crowd)
        asked = rows_of(known.crowd, turn < 2)
        guesses, consensus = learn(known.columns, asked)
        label, quality = _crowdlab(asked, turn[turn < 2], guesses.probabilities, python)
        has = consensus.answers > 0
        for labels, confidence, right, ece in (
            (consensus.label, consensus.confidence, ours, ours_ece),
            (label, quality, theirs, theirs_ece),
        ):
            correct = labels[has] == known.truth[has]
            right.append(100 * float(correct.mean()))
            ece.append(calibration_error(np.clip(confidence[has], 0, 1 - 1e-9), correct))
    name = draws[0].name
    ahead = 4.0 if name == "labelme" else 0.0
    held = mean(ours) >= mean(theirs) + ahead and mean(ours_ece) <= mean(theirs_ece) / 2
    return [
        f"| {name} | {mean(theirs):.1f} (ECE {mean(theirs_ece):.1f}) | {mean(ours):.1f} "
        f"(ECE {mean(ours_ece):.1f}) | {gate(f'{name}: CROWDLAB', held)} |"
    ]


def _crowdlab(asked: Crowd, turn: Ints, p: Floats, python: str) -> tuple[Ints, Floats]:
    """Run CROWDLAB; where workers have no names, an image's first and second answers are two."""
    worker = asked.worker if asked.workers > 1 else turn
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "in.npz"), Path(scratch, "out.npz")
        np.savez(source, image=asked.image, worker=worker, label=asked.label, p=p.astype(float))
        script = ROOT / "benchmarks" / "guesses_peer.py"
        subprocess.run([python, str(script), str(source), str(target)], check=True)
        with np.load(target) as answer:
            return answer["label"], answer["quality"]


# --- time and memory --------------------------------------------------------------------------


def speed(images: int, width: int) -> str:
    """Return a row: the model step on made-up rows beside the bare sums and solutions in numpy."""
    bare, step = (_measured(mode, images, width) for mode in ("bare", "step"))
    ratio = step[0] / bare[0]
    return (
        f"| {images:,} × {width:,} | {bare[0]:.1f} s | {step[0]:.1f} s | {ratio:.2f} | "
        f"{step[1]:,.0f} MB | {gate(f'speed {width}', ratio <= 2)} |"
    )


def _measured(mode: str, images: int, width: int) -> tuple[float, float]:
    """Run this file for one measurement; returns processor seconds and peak memory in MB."""
    command = [sys.executable, __file__, "--measure", mode, str(images), str(width)]
    # one thread: others spin while they wait, which counts as processor time
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


@dataclass(frozen=True)
class StoredRows:
    """Rows of a file, read as a run reads them of S3: a memory map would count as memory."""

    path: Path
    shape: tuple[int, int]

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float16]:
        """Read a slice of neighboring rows."""
        start, stop, _ = rows.indices(len(self))
        width = self.shape[1]
        return np.fromfile(
            self.path, np.float16, (stop - start) * width, offset=start * width * 2
        ).reshape(-1, width)


def measure(mode: str, images: int, width: int) -> None:
    """Print processor seconds and peak memory of one way over made-up rows of ten classes."""
    chance = np.random.default_rng(0)
    truth = chance.integers(0, 10, images)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "rows")
        centers = chance.normal(size=(10, width)).astype(np.float16)
        with path.open("wb") as file:
            for start in range(0, images, 50_000):
                part = truth[start : start + 50_000]
                noise = chance.standard_normal((len(part), width), np.float32)
                (centers[part] + 2 * noise).astype(np.float16).tofile(file)
        image = np.repeat(np.arange(images, dtype=np.int32), 2)
        noisy = chance.random(len(image)) < 0.15
        label = np.where(noisy, chance.integers(0, 10, len(image)), truth[image]).astype(np.int32)
        worker = chance.integers(0, 500, len(image)).astype(np.int32)
        crowd = Crowd(images, 500, 10, image, worker, label)
        columns = Columns(StoredRows(path, (images, width)))
        start_time = time.process_time()
        if mode == "bare":
            _bare(columns, truth)
            spent = time.process_time() - start_time
        else:
            learn(columns, crowd)
            spent = time.process_time() - start_time
            start_time = time.process_time()
            for _ in range(3):  # the consolidations are there without a model, too
                consolidate(crowd, probabilities=True)
            spent -= time.process_time() - start_time
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(spent, peak)


def _bare(columns: Columns, truth: Ints) -> None:
    """Compute what cannot be left out: each fold's sums, a solution a shrinkage, the scores."""
    rows = columns.embeddings
    assert rows is not None
    width = rows.shape[1] + 1
    grams, sums = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width, 10))
    targets = np.eye(10, dtype=np.float32)
    for start in range(0, len(rows), 8_192):
        block = np.asarray(rows[start : start + 8_192], np.float32)
        block = np.hstack([block, np.ones((len(block), 1), np.float32)])
        for fold in range(FOLDS):
            mine = block[fold::FOLDS]
            grams[fold] += mine.T @ mine
            sums[fold] += mine.T @ targets[truth[start : start + 8_192]][fold::FOLDS]
    for l2 in L2_GRID:
        weights = np.linalg.solve(grams.sum(0) - grams + np.eye(width) * l2, sums.sum(0) - sums)
    narrow = weights.astype(np.float32)
    for start in range(0, len(rows), 8_192):
        block = np.asarray(rows[start : start + 8_192], np.float32)
        block = np.hstack([block, np.ones((len(block), 1), np.float32)])
        for fold in range(FOLDS):
            block[fold::FOLDS] @ narrow[fold]


def main() -> None:
    """Measure, and print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA, help="or TESSERA_EMBEDDINGS")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--peers", default=os.environ.get("TESSERA_PEERS"), metavar="PYTHON")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure[0], int(given.measure[1]), int(given.measure[2]))
        return
    print("## Guesses: a model that learns from the answers\n")
    draws = 1 if given.quick else given.draws
    by_set = list(zip(*(read_sets(given.data, seed) for seed in range(draws)), strict=True))
    if not by_set:
        print(f"No sets with embeddings in `{given.data.name}`: name a folder with `--data`.\n")
    for sets in by_set:
        print("\n".join(policies(list(sets))), flush=True)
    for sets in by_set:
        if not sets[0].name.endswith("own model"):
            print("\n".join(disturbances(list(sets))), flush=True)
    own = [sets[0].name for sets in by_set if sets[0].name.endswith("own model")]
    for name in own:
        seeds = range(1 if given.quick else AUDIT_DRAWS)
        sets_by_seed = (read_sets(given.data, seed) for seed in seeds)
        drawn = [known for sets in sets_by_seed for known in sets if known.name == name]
        print("\n".join(audits(drawn)), flush=True)
    if by_set and given.peers:
        print("### Beside CROWDLAB, 2 answers, the same out-of-fold probabilities\n")
        print("| set | CROWDLAB | ours | reached |\n|---|---|---|---|")
        for sets in by_set:
            print("\n".join(beside_crowdlab(list(sets), given.peers)), flush=True)
        print()
    elif by_set:
        print("No CROWDLAB: name a Python that has cleanlab with `--peers`.\n")
    images = 50_000 if given.quick else 1_000_000
    print("### Time and memory of the model step\n")
    print("| rows | bare sums and solutions | model step | ratio | peak | ≤ 2 |")
    print("|---" * 6 + "|")
    for width in (384, 1_280):
        print(speed(images, width), flush=True)
    if missed:
        print(f"\nMissed: {', '.join(missed)}.")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
