"""Count the pictures that did not load: how often, for whom, and which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.report.figures import round_figure
from tessera.tiling.run.run import MAX_UNLOADED

LISTED = 24
"""Pictures and workers listed at most: who has looked at so many knows what is wrong."""
BLOCKED = 0.5
"""Share of a worker's pictures from which their network is at fault, not the pictures: a damaged
manifest may lack a tenth of its pictures, a proxy lets through hardly any."""
LEAST_PICTURES = 5
"""Pictures that a worker must have been shown for their share to mean anything."""


def most_unloaded(unloaded: Unloaded) -> list[int]:
    """Return the images that did not load for most workers, those with the most first."""
    images, times = np.unique(unloaded.image, return_counts=True)
    listed: list[int] = images[np.argsort(-times, kind="stable")[:LISTED]].tolist()
    return listed


def unloaded_figures(
    unloaded: Unloaded, crowd: Crowd, names: Sequence[str], *, sources: Mapping[int, str]
) -> dict[str, Any]:
    """Describe what did not load, by worker and by picture.

    `given_up` counts the images that nobody else is asked, `blocked_workers` names those whom most
    pictures did not reach. Images without a URI in `sources` are not listed.
    """
    by_image = unloaded.workers_by_image(crowd.images)
    by_worker = np.bincount(unloaded.worker, minlength=len(names))
    answers = np.bincount(crowd.worker, minlength=len(names))
    share = by_worker / np.maximum(by_worker + answers, 1)
    order = sorted(
        np.flatnonzero(by_worker).tolist(), key=lambda one: (-by_worker[one], names[one])
    )
    is_blocked = (share >= BLOCKED) & (by_worker + answers >= LEAST_PICTURES)
    return {
        "times": len(unloaded),
        "images": int((by_image > 0).sum()),
        "given_up": int((by_image >= MAX_UNLOADED).sum()),
        "blocked_workers": [names[worker] for worker in order if is_blocked[worker]],
        "workers": [
            {
                "worker": names[worker],
                "times": int(by_worker[worker]),
                "share": round_figure(share[worker]),
            }
            for worker in order[:LISTED]
        ],
        "pictures": [
            {"index": image, "source": sources[image], "times": int(by_image[image])}
            for image in most_unloaded(unloaded)
            if image in sources
        ],
    }
