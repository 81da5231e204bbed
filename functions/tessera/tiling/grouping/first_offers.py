"""Write beside a shard's tasks to whom each of them is offered first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats
from tessera.tiling.run.run_files import CreateFile
from tessera.tiling.settings import Settings
from tessera.tiling.workers.exclusions import Exclusions
from tessera.tiling.workers.first_offers import encode_first_offers, first_offers_name
from tessera.tiling.workers.skills import Skills, first_offers

MINUTE = 60.0


def write_first_offers(
    name: str,
    create: CreateFile,
    settings: Settings,
    skills: Skills,
    doubts: Floats,
    exclusions: Exclusions,
) -> None:
    """Write the file beside the tasks manifest `name`, whose tasks have these mean doubts."""
    workers = list(skills.workers)
    if not workers:
        return
    excluded = excluded_workers(exclusions, workers, len(doubts))
    offered = first_offers(doubts, skills.right, skills.anyone, excluded, settings.offer_share)
    if offered.all():
        return
    rows = (np.packbits(row, bitorder="little").tobytes() for row in offered)
    data = encode_first_offers(settings.offer_minutes * MINUTE, workers, rows)
    with create(first_offers_name(name)) as file:
        file.write(data)


def excluded_workers(exclusions: Exclusions, workers: list[str], tasks: int) -> NDArray[np.bool_]:
    """Return which tasks each worker may not have (workers x tasks)."""
    excluded = np.zeros((len(workers), tasks), np.bool_)
    for row, worker in enumerate(workers):
        ranges = exclusions.ranges.get(worker, [])
        for start, end in zip(ranges[::2], ranges[1::2], strict=True):
            excluded[row, start:end] = True
    return excluded
