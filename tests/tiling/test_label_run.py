"""What a run's settings do to its consensus before anything is written."""

from __future__ import annotations

import numpy as np

from tessera.tiling.answers.table import AnswerTable
from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.label_run import with_slowest


def test_of_single_answers_the_slowest_are_asked_again_and_several_go_by_gain() -> None:
    image = np.array([*range(20), 19], np.int32)
    worker = np.array([0] * 20 + [1], np.int32)
    crowd = Crowd(20, 2, 2, image, worker, np.array([0] * 20 + [1], np.int8))
    seconds = np.array([*range(1, 21), 1], np.float32)
    rows = np.zeros(21, np.int32)
    none = Unloaded(np.empty(0, np.int32), np.empty(0, np.int32))
    table = AnswerTable(crowd, ["ann", "bob"], seconds, rows, rows.astype(np.int8), none)
    consensus = consolidate(crowd)
    slowest = with_slowest(consensus, table, 0.25)
    assert np.flatnonzero(slowest.gain == 1).tolist() == [15, 16, 17, 18]
    assert (slowest.gain[:15] == 0).all()
    assert slowest.gain[19] == consensus.gain[19]
