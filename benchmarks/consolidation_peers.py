"""The peers of the consolidation benchmark, run by a Python that has crowd-kit and cleanlab.

Usage: PYTHON benchmarks/consolidation_peers.py IN.npz OUT.npz METHOD…
       PYTHON benchmarks/consolidation_peers.py ANSWERS.csv

IN holds, for each crowd named N, N/task, N/worker and N/label; OUT gets N/METHOD/label and, where
the method gives any, N/METHOD/p, or N/METHOD/failed with the error; and METHOD/seconds and
METHOD/peak (MB) of the whole run.
Of a file of answers crowd-kit's DawidSkene is fitted, and a JSON object printed with the seconds of
the fit alone and the peak.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def crowdkit(name: str) -> Callable[[Any, int, int], tuple[Any, Any]]:
    """Return a runner of one of crowd-kit's methods."""
    import crowdkit.aggregation as methods
    import pandas as pd

    made = {
        "MajorityVote": lambda: methods.MajorityVote(),
        "DawidSkene": lambda: methods.DawidSkene(n_iter=100),
        "OneCoinDawidSkene": lambda: methods.OneCoinDawidSkene(n_iter=100),
        "MACE": lambda: methods.MACE(n_restarts=10, n_iter=50, random_state=0),
        "GLAD": lambda: methods.GLAD(n_iter=100),
        "MMSR": lambda: methods.MMSR(),
    }[name]

    def run(answers: Any, tasks: int, classes: int) -> tuple[Any, Any]:
        frame = pd.DataFrame({key: answers[key] for key in ("task", "worker", "label")})
        method = made()  # type: ignore[no-untyped-call]  # crowd-kit has no types
        labels = method.fit_predict(frame)
        p = getattr(method, "probas_", None)
        if p is not None:
            p = p.reindex(index=range(tasks), columns=range(classes)).fillna(0).to_numpy()
        return labels.reindex(range(tasks)).fillna(-1).to_numpy().astype(int), p

    return run


def cleanlab_majority(answers: Any, tasks: int, classes: int) -> tuple[Any, Any]:
    """Run cleanlab's majority vote with its rule for ties."""
    from cleanlab.multiannotator import get_majority_vote_label

    workers = int(answers["worker"].max()) + 1
    table = np.full((tasks, workers), np.nan)
    table[answers["task"], answers["worker"]] = answers["label"]
    table = table[:, ~np.isnan(table).all(axis=0)]
    return get_majority_vote_label(table), None


def fit_file(path: str) -> None:
    """Fit crowd-kit's DawidSkene to a file of answers."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    frame = pd.read_csv(path)
    started = time.process_time()
    DawidSkene(n_iter=100).fit_predict(frame)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def main() -> None:
    """Run the methods over every crowd of the file."""
    if len(sys.argv) == 2:
        fit_file(sys.argv[1])
        return
    source, target, *names = sys.argv[1:]
    crowds = np.load(source)
    arrays: dict[str, Any] = {}
    for name in names:
        run = cleanlab_majority if name == "cleanlab" else crowdkit(name)
        started = time.process_time()
        for crowd in sorted({key.split("/")[0] for key in crowds.files}):
            answers = {key: crowds[f"{crowd}/{key}"] for key in ("task", "worker", "label")}
            tasks, classes = (int(size) for size in crowds[f"{crowd}/size"])
            try:
                label, p = run(answers, tasks, classes)
            except Exception as error:  # of whatever library: the others are measured all the same
                arrays[f"{crowd}/{name}/failed"] = f"{type(error).__name__}: {error}"[:200]
                continue
            arrays[f"{crowd}/{name}/label"] = label
            if p is not None:
                arrays[f"{crowd}/{name}/p"] = p.astype(np.float32)
        arrays[f"{name}/seconds"] = time.process_time() - started
        arrays[f"{name}/peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(target, **arrays)


if __name__ == "__main__":
    main()
