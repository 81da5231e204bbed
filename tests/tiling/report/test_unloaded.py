"""The report tells whose network and which pictures are at fault."""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.report.unloaded import most_unloaded, unloaded_figures
from tests.tiling.report.small_run import crowd_of

NAMES = ["ann", "bob", "cid", "dan"]


def unloaded(*pairs: tuple[int, int]) -> Unloaded:
    """Images that did not load, each with the worker."""
    return Unloaded(*np.array(sorted(pairs), np.int32).T)


def test_a_worker_whom_most_pictures_did_not_reach_is_told_from_a_picture_that_is_gone() -> None:
    crowd = crowd_of(*((image, worker, 0) for image in range(9) for worker in (0, 1)), (9, 0, 0))
    blocked = [(image, 2) for image in range(8)]
    gone = [(9, worker) for worker in (1, 2, 3)]
    figures = unloaded_figures(
        unloaded(*blocked, *gone), crowd, NAMES, sources={9: "s3://pets/9.jpg"}
    )
    assert (figures["times"], figures["images"], figures["given_up"]) == (11, 9, 1)
    assert figures["blocked_workers"] == ["cid"]
    assert figures["workers"][0] == {"worker": "cid", "times": 9, "share": 1.0}
    assert [entry["worker"] for entry in figures["workers"]] == ["cid", "bob", "dan"]
    assert figures["pictures"] == [{"index": 9, "source": "s3://pets/9.jpg", "times": 3}]


def test_the_pictures_that_failed_most_come_first() -> None:
    assert most_unloaded(unloaded((1, 0), (5, 0), (5, 1), (3, 0))) == [5, 1, 3]
