"""crowd-kit's answers to the same crowd, recorded once: it weighs half a gigabyte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tessera.tiling.consensus import Crowd, consolidate

RECORDED = json.loads((Path(__file__).parent / "crowdkit.json").read_text())
ANSWERS = np.array(RECORDED["answers"])
CROWD = Crowd(
    60,
    8,
    3,
    ANSWERS[:, 0].astype(np.int32),
    ANSWERS[:, 1].astype(np.int32),
    ANSWERS[:, 2].astype(np.int8),
)


def test_plain_dawid_skene_is_crowd_kits() -> None:
    consensus = consolidate(CROWD, "dawid-skene", probabilities=True)
    expected = np.array(RECORDED["dawid_skene"])
    assert consensus.probabilities is not None
    assert np.abs(consensus.probabilities - expected).max() < 1e-4
    assert consensus.label.tolist() == expected.argmax(axis=1).tolist()


def test_majority_is_crowd_kits_wherever_votes_do_not_tie() -> None:
    shares = np.array(RECORDED["majority"])
    top = np.sort(shares, axis=1)
    clear = top[:, -1] > top[:, -2]
    consensus = consolidate(CROWD, "majority")
    assert consensus.label[clear].tolist() == shares[clear].argmax(axis=1).tolist()
    assert np.allclose(consensus.agreement, top[:, -1], atol=1e-5)
