"""The published method counts each worker's answers and nothing else; test_oracle compares it."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.tiling.consensus.dawid_skene import m_step
from tessera.tiling.consensus.em import ExpectedCounts


def test_a_workers_matrix_is_the_shares_of_own_answers() -> None:
    answers = np.zeros((2, 2, 2))  # classes, workers, labels
    answers[0, 0] = [3, 1]
    answers[1, 0] = [0, 5]
    answers[0, 1] = [2, 2]
    model = m_step(ExpectedCounts(answers, np.array([0.25, 0.75]), np.array([0.5, 0.5])))
    confusion = np.exp(model.log_confusion).reshape(2, 2, 2)  # workers, labels, classes
    assert confusion[0, :, 0] == pytest.approx([0.75, 0.25])
    assert confusion[0, :, 1] == pytest.approx([0, 1], abs=1e-9)
    assert confusion[1, :, 0] == pytest.approx([0.5, 0.5])
    assert confusion[1, :, 1] == pytest.approx([0.5, 0.5])  # never seen: anything
    assert np.exp(model.log_prior) == pytest.approx([0.25, 0.75])
