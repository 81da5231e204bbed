"""Measure how far workers agree, and which labels they confuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.crowd import Floats, split_by_depth, vote_counts

CONFUSED = 10
"""Pairs of labels shown as the most confused ones."""


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
    for part in split_by_depth(crowd):
        if part.depth < 2:
            continue
        for block in part.blocks():
            count = vote_counts(block, crowd.classes)
            differing = part.depth**2 - (count**2).sum(axis=0)
            pairs += float(differing.sum()) / (part.depth - 1)
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


def _rounded(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
