"""Measure how far workers agree, and which labels they confuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.crowd import Floats, split_by_depth, vote_counts
from tessera.tiling.report.figures import round_figure

CONFUSED = 10
"""Pairs of labels listed as the most confused: as many as a reader takes in at a glance."""

COMMON = 0.5
"""How far a label's share is on the way from that of equally common labels to all images, from
which on it is a common one: 0.75 of two labels (docs/decisions/report-thresholds.md)."""


def common_label(consensus: Consensus, classes: Sequence[str]) -> dict[str, Any]:
    """Return the label that most images have, with its share; nothing where labels are even.

    Labels that no image has do not count: two of twelve are no common label.
    """
    labels = consensus.label[(consensus.label >= 0) & (consensus.answers > 0)]
    counts = np.bincount(labels, minlength=len(classes))
    occurring = np.count_nonzero(counts)
    if occurring < 2:
        return {}
    share = counts.max() / counts.sum()
    if (share - 1 / occurring) / (1 - 1 / occurring) < COMMON:
        return {}
    name = classes[int(counts.argmax())]
    return {"common_label": {"label": name, "share": round_figure(share)}}


def agreement_figures(crowd: Crowd, consensus: Consensus, classes: Sequence[str]) -> dict[str, Any]:
    """Say how far workers agree beyond chance, and which labels they confuse.

    `confusion` is the pooled confusion matrix that the method estimated, or else shares of counts.
    """
    counts = _confusion_counts(crowd, consensus)
    confusion = _normalize_rows(counts) if consensus.pooled is None else consensus.pooled
    even = even_alpha(confusion[counts.any(axis=1)])
    return {
        "alpha": round_figure(krippendorff(crowd)),
        "even_alpha": round_figure(even),
        "compared": int(counts.sum()),
        "agreeing": int(np.trace(counts)),
        "labels": list(classes),
        "confusion": [[round_figure(share) for share in row] for row in confusion],
        "confused": _confused_pairs(counts, classes),
    }


def _confused_pairs(counts: Floats, classes: Sequence[str]) -> list[dict[str, Any]]:
    """List the most frequent confusions: the image's label, and the answer it got instead."""
    totals = counts.sum(axis=1)
    # frequent pairs first, not those of the highest share: a rare label's few errors change little
    errors = counts.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:CONFUSED]
    pairs = [divmod(int(cell), len(classes)) for cell in order]
    return [
        {
            "label": classes[label],
            "taken_for": classes[answer],
            "answers": int(errors[label, answer]),
            "share": round_figure(errors[label, answer] / totals[label]),
        }
        for label, answer in pairs
        if errors[label, answer] > 0
    ]


def krippendorff(crowd: Crowd) -> float:
    """Return Krippendorff's alpha of the readable answers: 1 is agreement, 0 what chance gives.

    Nominal data: 1 - D_observed / D_expected, where D counts pairs of answers that differ; an image
    with m answers weighs each of its pairs by 1 / (m - 1). Not a number where no two workers
    answered the same image, or all gave one and the same label. Source: Krippendorff (2011),
    Computing Krippendorff's Alpha-Reliability.
    """
    pairs = 0.0  # of answers to the same image, that differ
    totals = np.zeros(crowd.classes)
    for part in split_by_depth(crowd):
        if part.depth < 2:  # an answer alone makes no pair
            continue
        for block in part.blocks():
            count = vote_counts(block, crowd.classes)
            differing = part.depth**2 - (count**2).sum(axis=0)
            pairs += float(differing.sum()) / (part.depth - 1)
            totals += count.sum(axis=1)
    answers = totals.sum()
    by_chance = answers**2 - (totals**2).sum()
    if by_chance <= 0:  # all answers are one label: chance could not give anything else
        return float("nan")
    return float(1 - (answers - 1) * pairs / by_chance)


def even_alpha(confusion: Floats) -> float:
    """Return the alpha that the same workers would have if these labels were all as common.

    `confusion` (labels x answers) has how often they give which answer to an image of each label.
    Where one label is common, chance alone agrees on most images, so that a few errors make alpha
    low, however well workers tell the labels apart. With equally common labels two answers to an
    image of label `k` agree at sum_l P[k, l]^2, any two answers at the sum of the squared means.
    Not a number of fewer than two labels.
    """
    if len(confusion) < 2:
        return float("nan")
    differing = 1 - (confusion**2).sum(axis=1).mean()
    by_chance = 1 - (confusion.mean(axis=0) ** 2).sum()
    return float(1 - differing / by_chance) if by_chance > 0 else float("nan")


def _confusion_counts(crowd: Crowd, consensus: Consensus) -> Floats:
    """Count the readable answers by their image's label (rows) and their own (columns)."""
    label = consensus.label[crowd.image]
    compared = (label >= 0) & (crowd.label >= 0)
    cells = label[compared].astype(np.int64) * crowd.classes + crowd.label[compared]
    counts = np.bincount(cells, minlength=crowd.classes**2)
    return counts.reshape(crowd.classes, -1).astype(np.float64)


def _normalize_rows(matrix: Floats) -> Floats:
    """Divide each row by its sum; a row of zeros stays one."""
    shares: Floats = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return shares
