"""Summarize what each round asked and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, Method, consolidate
from tessera.tiling.report.figures import mean_figure


@dataclass(frozen=True, slots=True, eq=False)
class EarlierLabels:
    """Labels of all images after an earlier round, by its answers and those before."""

    label: NDArray[np.int16]
    confidence: NDArray[np.float32]


def round_figures(
    crowd: Crowd,
    consensus: Consensus,
    round_: NDArray[np.int8],
    *,
    method: Method,
    evidence: Evidence,
    tasks: Mapping[int, int],
    known_already: Mapping[int, EarlierLabels] | None = None,
) -> list[dict[str, Any]]:
    """Say of each round what it asked, and of the labels after it how many it changed.

    `round_` has a row for each answer of the crowd, `tasks` the tasks by round. `consensus` is that
    of all rounds; the labels after an earlier round are `known_already`, or are consolidated anew,
    from its answers alone and those before.
    """
    figures = []
    previous: NDArray[np.int16] | None = None
    last_answered = int(round_.max()) if len(round_) else 0
    # a round that was asked and not answered is listed too: its pages were paid for
    for number in range(1, max(last_answered, max(tasks, default=0)) + 1):
        # most runs have one round, and the newest is consolidated already
        current: Consensus | EarlierLabels = consensus
        if number < last_answered and known_already:
            current = known_already[number]
        elif number < last_answered:
            earlier = crowd.answers(round_ <= number)
            current = consolidate(earlier, method, evidence=evidence)
            # a model guesses the others, too, but nobody has labeled them by then
            current.label[current.answers == 0] = -1
        # images that were asked and got no usable answer cannot have changed
        asked = np.unique(crowd.image[round_ == number])
        labeled = current.label >= 0
        changed = previous is not None and previous[asked] != current.label[asked]
        if previous is not None and evidence.log_ratio is not None:
            changed &= previous[asked] >= 0  # most are asked for the first time in a later round
        figures.append(
            {
                "round": number,
                "tasks": tasks.get(number, 0),
                "images": len(asked),
                "answers": int((round_ == number).sum()),
                "labels_changed": int(np.sum(changed)),
                "labeled": int(labeled.sum()),
                "mean_confidence": mean_figure(current.confidence[labeled]),
            }
        )
        previous = current.label
    return figures
