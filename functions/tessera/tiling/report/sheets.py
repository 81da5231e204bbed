"""Choose the images of each label's contact sheet: those whose label is least sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus
from tessera.tiling.report.figures import round_figure

SHEET = 24
"""Images of a sheet: four rows of six, as of the most doubtful ones."""
SHEETS = 480
"""Images of all sheets: with thumbnails in it, the report is still a file to be mailed."""
LEAST = 4
"""Images of a sheet at least, however many labels there are."""


def sheet_images(consensus: Consensus, classes: int) -> list[NDArray[np.int64]]:
    """Return for each class the answered images that are labeled so, the least sure first."""
    most = max(LEAST, min(SHEET, SHEETS // max(classes, 1)))
    answered = consensus.answers > 0
    sheets = []
    for number in range(classes):
        images = np.flatnonzero(answered & (consensus.label == number))
        confidence = consensus.confidence[images]
        if len(images) > most:  # of millions only these few are sorted
            limit = np.partition(confidence, most - 1)[most - 1]
            images = images[confidence <= limit]
            confidence = consensus.confidence[images]
        sheets.append(images[np.argsort(confidence, kind="stable")][:most])
    return sheets


def sheet_figures(
    consensus: Consensus, classes: Sequence[str], sources: Mapping[int, str]
) -> dict[str, list[dict[str, Any]]]:
    """Describe the images of each label's sheet; labels of no image have none.

    Images without a URI in `sources` are left out: an answer may name a line that was never asked.
    """
    sheets = {
        name: [
            {
                "index": image,
                "source": sources[image],
                "confidence": round_figure(consensus.confidence[image]),
            }
            for image in images.tolist()
            if image in sources
        ]
        for name, images in zip(classes, sheet_images(consensus, len(classes)), strict=True)
    }
    return {name: images for name, images in sheets.items() if images}
