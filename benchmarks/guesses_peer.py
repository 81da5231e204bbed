"""CROWDLAB on answers and probabilities, run by a Python that has cleanlab.

Usage: PYTHON benchmarks/guesses_peer.py IN.npz OUT.npz

IN holds image, worker and label of each answer, and p (images x classes); OUT gets the label and
its quality score of each image, -1 and 0 where nobody answered.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")


def main() -> None:
    """Run it."""
    import pandas as pd
    from cleanlab.multiannotator import get_label_quality_multiannotator

    with np.load(sys.argv[1]) as given:
        image, worker, label, p = (given[name] for name in ("image", "worker", "label", "p"))
    table = np.full((len(p), int(worker.max()) + 1), np.nan)
    table[image, worker] = label
    has = ~np.isnan(table).all(axis=1)
    frame = pd.DataFrame(table[has][:, ~np.isnan(table[has]).all(axis=0)]).astype("Int64")
    result = get_label_quality_multiannotator(frame, p[has], verbose=False, calibrate_probs=True)
    quality = result["label_quality"]
    labels, scores = np.full(len(p), -1), np.zeros(len(p))
    labels[has] = quality["consensus_label"].to_numpy().astype(int)
    scores[has] = quality["consensus_quality_score"].to_numpy()
    np.savez(sys.argv[2], label=labels, quality=scores)


if __name__ == "__main__":
    main()
