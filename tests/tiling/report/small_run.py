"""A small crowd by its answers, and the figures of a small run that went well."""

from __future__ import annotations

from typing import Any

import numpy as np

from tessera.tiling.consensus import Crowd
from tessera.tiling.report.next_steps import next_steps


def crowd_of(*answers: tuple[int, int, int], classes: int = 3) -> Crowd:
    """Make a crowd of (image, worker, label)."""
    image, worker, label = (np.array(column, np.int32) for column in zip(*answers, strict=True))
    return Crowd(int(image.max()) + 1, int(worker.max()) + 1, classes, image, worker, label)


def figures(**changed: Any) -> dict[str, Any]:
    """Return the figures of a small run that went well."""
    made: dict[str, Any] = {
        "version": 1,
        "run": "pets-may-0123456789ab",
        "question": "Is this cat or dog?",
        "method": "hierarchical",
        "settings": {"images_per_task": 20, "answers_per_image": 2, "max_answers": 3},
        "manifest": "s3://inbox/pets/may.manifest",
        "started": "2026-11-23T01:51:01Z",
        "images": {
            "lines": 10, "training": 10, "unlabeled": 0, "rejected": 0,
            "labeled_before": 0, "gold": 0, "repeats": 0, "uncertain": 0,
        },
        "unlabeled": {},
        "labels": {"cat": 6, "dog": 4},
        "answers": {"used": 20},
        "confidence": {"mean": 0.93, "tenths": [0] * 9 + [10], "calibrated_by": "gold",
                       "calibrated_on": 60, "unanimous": 10, "one_answer": 0},
        "calibration": [{"from": 0.9, "images": 6, "mean_confidence": 0.93, "right": 1.0}],
        "gold": {"right": 6, "answered": 6, "mean_confidence": 0.93},
        "agreement": {"alpha": 0.95, "compared": 20, "agreeing": 19, "labels": ["cat", "dog"],
                      "confusion": [[0.9, 0.1], [0.0, 1.0]], "confused": [
                          {"label": "cat", "taken_for": "dog", "answers": 1, "share": 0.08}]},
        "rounds": [{"round": 1, "images": 10, "tasks": 1, "answers": 20, "labels_changed": 0,
                    "labeled": 10, "mean_confidence": 0.93}],
        "workers": [{"worker": "ann", "answers": 20, "accuracy": 0.9, "accuracy_low": 0.8,
                     "accuracy_high": 0.95, "gold_answers": 0, "gold_accuracy": None,
                     "agreement": 0.95, "seconds_per_image": 2.5, "too_fast": 0.0}],
        "pages_to_look_at": [],
        "time": {"measured": True, "seconds_per_image": 2.5, "seconds_per_image_alone": 8.1,
                 "hours": 0.01, "hours_alone": 0.04},
        "cost": {"service": "portal", "price_per_page": 0, "pages": 1, "pages_alone": 10,
                 "fees": 0, "fees_alone": 0},
        "doubtful": [{"index": 3, "source": "s3://inbox/3.png", "label": "cat",
                      "confidence": 0.6, "said": {"cat": 1, "dog": 1}}],
        "jobs": [{"name": "pets-r1-000", "status": "Completed"}],
    }  # fmt: skip
    made |= changed
    return made | {"next": next_steps(made)}
