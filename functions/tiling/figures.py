"""Figures of a run that are computed from its answers: agreement, rounds, doubt, time, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiling.consensus import Consensus, Crowd, Evidence, consolidate
from tiling.consensus.crowd import Floats, stack, votes
from tiling.cost import SECONDS_A_PAGE, SECONDS_AN_IMAGE, page_seconds
from tiling.settings import Settings

DOUBTFUL = 24
"""Images shown as the most doubtful ones."""
CONFUSED = 10
"""Pairs of labels shown as the most confused ones."""
TOO_FAST = 0.2
"""An answer is too fast that took less than this share of the crowd's median time."""
OBJECT_PRICE = 0.08
"""Dollars that Ground Truth takes for a page, whoever answers it."""


def agreement_figures(crowd: Crowd, consensus: Consensus, classes: Sequence[str]) -> dict[str, Any]:
    """How far workers agree beyond chance, and what they take for what."""
    matrix = _confusion(crowd, consensus)
    rows = matrix.sum(axis=1)
    estimated = _shares(matrix) if consensus.pooled is None else consensus.pooled
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:CONFUSED]
    pairs = [(int(cell) // len(classes), int(cell) % len(classes)) for cell in order]
    return {
        "alpha": _rounded(krippendorff(crowd)),
        "compared": int(matrix.sum()),
        "agreeing": int(np.trace(matrix)),
        "labels": list(classes),
        "confusion": [[_rounded(share) for share in row] for row in estimated],
        "confused": [
            {
                "label": classes[true],
                "taken_for": classes[said],
                "answers": int(off[true, said]),
                "share": _rounded(off[true, said] / rows[true]),
            }
            for true, said in pairs
            if off[true, said] > 0
        ],
    }


def krippendorff(crowd: Crowd) -> float:
    """Krippendorff's alpha of the readable answers: 1 is agreement, 0 what chance would give.

    Not a number where no two workers answered the same image, or all gave one and the same label.
    """
    pairs = 0.0
    totals = np.zeros(crowd.classes)
    for pile in stack(crowd):
        if pile.depth < 2:
            continue
        for block in pile.blocks():
            count = votes(block, crowd.classes)
            differing = pile.depth**2 - (count**2).sum(axis=0)
            pairs += float(differing.sum()) / (pile.depth - 1)
            totals += count.sum(axis=1)
    answers = totals.sum()
    by_chance = answers**2 - (totals**2).sum()
    if by_chance <= 0:
        return float("nan")
    return float(1 - (answers - 1) * pairs / by_chance)


def _confusion(crowd: Crowd, consensus: Consensus) -> Floats:
    """Answers by the label that the image got (down) and the label said (across)."""
    true = consensus.label[crowd.image]
    there = (true >= 0) & (crowd.label >= 0)
    cells = true[there].astype(np.int64) * crowd.classes + crowd.label[there]
    counted = np.bincount(cells, minlength=crowd.classes**2)
    return counted.reshape(crowd.classes, -1).astype(np.float64)


def _shares(matrix: Floats) -> Floats:
    shares: Floats = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return shares


def round_figures(
    crowd: Crowd,
    consensus: Consensus,
    round_: NDArray[np.int8],
    *,
    method: str,
    evidence: Evidence,
    tasks: Mapping[int, int],
) -> list[dict[str, Any]]:
    """What each round asked, and what the labels were after it; `tasks` has each round's pages."""
    figures = []
    before: NDArray[np.int16] | None = None
    last = int(round_.max()) if len(round_) else 0
    for number in range(1, max(last, max(tasks, default=0)) + 1):
        now = (
            consensus
            if number >= last
            else consolidate(_until(crowd, round_ <= number), method, evidence=evidence)
        )
        asked = np.unique(crowd.image[round_ == number])
        labeled = now.label >= 0
        changed = 0 if before is None else int((before[asked] != now.label[asked]).sum())
        figures.append(
            {
                "round": number,
                "tasks": tasks.get(number, 0),
                "images": len(asked),
                "answers": int((round_ == number).sum()),
                "labels_changed": changed,
                "labeled": int(labeled.sum()),
                "mean_confidence": _mean(now.confidence[labeled]),
            }
        )
        before = now.label.copy()
    return figures


def _until(crowd: Crowd, kept: NDArray[np.bool_]) -> Crowd:
    """The crowd with these answers alone."""
    return replace(
        crowd, image=crowd.image[kept], worker=crowd.worker[kept], label=crowd.label[kept]
    )


def calibration(consensus: Consensus, known: NDArray[np.int16]) -> list[dict[str, Any]]:
    """How often labels are right, by how confident they are, on the images that are known."""
    there = (known >= 0) & (consensus.label >= 0)
    confidence = consensus.confidence[there]
    right = consensus.label[there] == known[there]
    tenth = np.minimum(confidence * 10, 9).astype(np.int64)
    return [
        {
            "from": number / 10,
            "images": int((tenth == number).sum()),
            "mean_confidence": _mean(confidence[tenth == number]),
            "right": _mean(right[tenth == number]),
        }
        for number in np.unique(tenth).tolist()
    ]


def doubtful_images(
    crowd: Crowd, consensus: Consensus, classes: Sequence[str], escape: str
) -> list[dict[str, Any]]:
    """The answered images whose label is least sure, with what was said of each."""
    answered = np.flatnonzero((consensus.answers > 0) & (consensus.label >= 0))
    order = np.argsort(consensus.confidence[answered], kind="stable")[:DOUBTFUL]
    chosen = answered[order]
    said: dict[int, Counter[str]] = {int(image): Counter() for image in chosen}
    rows = np.flatnonzero(np.isin(crowd.image, chosen))
    for image, label in zip(crowd.image[rows].tolist(), crowd.label[rows].tolist(), strict=True):
        said[image][classes[label] if label >= 0 else escape] += 1
    return [
        {
            "index": int(image),
            "source": "",
            "label": classes[int(consensus.label[image])],
            "confidence": _rounded(consensus.confidence[image]),
            "said": dict(said[int(image)].most_common()),
        }
        for image in chosen
    ]


def too_fast(crowd: Crowd, seconds: NDArray[np.float32]) -> list[float | None]:
    """The share of each worker's timed answers that came too fast to have looked."""
    timed = seconds >= 0
    if not timed.any():
        return [None] * crowd.workers
    fast = timed & (seconds < TOO_FAST * float(np.median(seconds[timed])))
    of = np.bincount(crowd.worker[timed], minlength=crowd.workers)
    count = np.bincount(crowd.worker[fast], minlength=crowd.workers)
    return [
        round(int(part) / int(whole), 4) if whole else None
        for part, whole in zip(count, of, strict=True)
    ]


def time_figures(
    answers: int, seconds_per_image: float | None, settings: Settings
) -> dict[str, Any]:
    """Hours of work beside those that one image a page would have taken.

    Without measured seconds, what the page's size lets expect stands in, and `measured` is false.
    """
    pace = seconds_per_image or round(page_seconds(settings.images_per_task), 3)
    # what a page of one adds to an image is known only from the post that measured both
    alone = SECONDS_AN_IMAGE + SECONDS_A_PAGE
    return {
        "measured": seconds_per_image is not None,
        "seconds_per_image": pace,
        "seconds_per_image_alone": alone,
        "hours": round(answers * pace / 3600, 4),
        "hours_alone": round(answers * alone / 3600, 4),
    }


def cost_figures(rounds: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """The labeling service's fees beside those of one image a page; none on the portal."""
    price = 0.0 if settings.workforce == "portal" else OBJECT_PRICE
    pages = sum(entry["tasks"] for entry in rounds)
    alone = sum(entry["images"] for entry in rounds)
    return {
        "service": "portal" if settings.workforce == "portal" else "ground-truth",
        "price_per_page": price,
        "pages": pages,
        "pages_alone": alone,
        "fees": round(pages * price, 2),
        "fees_alone": round(alone * price, 2),
    }


def _mean(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _rounded(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
