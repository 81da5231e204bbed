"""Summarize what each round asked and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, Method, consolidate
from tessera.tiling.report.confidence import _mean


def round_figures(
    crowd: Crowd,
    consensus: Consensus,
    round_: NDArray[np.int8],
    *,
    method: Method,
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
