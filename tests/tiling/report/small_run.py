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
        "agreement": {"alpha": 0.95, "even_alpha": 0.94, "compared": 20, "agreeing": 19,
                      "labels": ["cat", "dog"], "confusion": [[0.9, 0.1], [0.0, 1.0]], "confused": [
                          {"label": "cat", "taken_for": "dog", "answers": 1, "share": 0.08}]},
        "rounds": [{"round": 1, "images": 10, "tasks": 1, "answers": 20, "labels_changed": 0,
                    "labeled": 10, "mean_confidence": 0.93}],
        "workers": [{"worker": "ann", "answers": 20, "accuracy": 0.9, "accuracy_low": 0.8,
                     "accuracy_high": 0.95, "balanced_accuracy": 0.85, "balanced_low": 0.7,
                     "balanced_high": 0.93, "gold_answers": 0, "gold_accuracy": None,
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


def full_figures() -> dict[str, Any]:
    """Return the figures of a run of which every section of the page has something to say."""
    names = ["ann@example.org", "somebody-with-a-long-name@department.example.org"]
    labels = {"cat": 6, "dog": 4, "Donaudampfschifffahrtsgesellschaftskapitän": 0}
    sources = [
        f"s3://inbox/images/pets/0123456789abcdef0123456789abcdef/IMG_{n}.JPG" for n in range(4)
    ]
    plain = figures()
    return figures(
        headline="7 of 10 labeled by 2 people in 16 minutes; about 97 % right; 1 could not be seen",
        reviewed=2,
        notices=["seed: 4 has no effect, because only shuffle follows it"],
        images=plain["images"] | {
            "training": 7, "unlabeled": 2, "rejected": 1, "labeled_before": 1, "gold": 1,
            "repeats": 1, "uncertain": 2,
        },
        unlabeled={"people do not agree": 1, "the picture did not load": 1},
        labels=labels,
        labels_before=dict.fromkeys(labels, 1),
        confidence=plain["confidence"] | {
            "tenths": [0, 1, 0, 0, 0, 2, 0, 0, 0, 4], "one_answer": 2,
        },
        agreement=plain["agreement"] | {
            "labels": [*labels], "confusion": [[0.9, 0.1, 0], [0, 0.5, 0.5], [0.2, 0, 0.8]],
        },
        rounds=[plain["rounds"][0] | {"round": number} for number in (1, 2)],
        workers=[
            plain["workers"][0] | {"worker": name, "gold_answers": 3, "gold_accuracy": 2 / 3}
            for name in names
        ],
        pages_to_look_at=[
            {"worker": names[1], "first_image": 3, "images": 20, "agreement": 0.4,
             "seconds_per_image": 0.4, "why": ["fast", "unlike the others"]},
        ],
        unloaded={
            "times": 3, "images": 2, "given_up": 1, "blocked_workers": [names[1]],
            "workers": [{"worker": names[1], "times": 3, "share": 0.75}],
            "pictures": [{"index": 1, "source": sources[1], "times": 3}],
        },
        flagged={
            "images": 1, "flags": 2,
            "reasons": {"wrong question": 1, "the <b>head</b> is cut off": 1},
            "pictures": [{"index": 2, "source": sources[2], "reason": "the <b>head</b> is cut off",
                          "worker": names[1], "label": "dog"}],
        },
        guesses={
            "used": True, "labeled": 2, "nats": 0.71, "learned_from": 8, "same": 7, "compared": 8,
            "gold": 3, "gold_right": 3, "contradicted": 2, "upheld": 1,
            "saved": {"answers": 20, "answers_without": 27, "hours": 0.02},
            "audit": {"right": 0.95, "right_low": 0.9, "right_high": 0.99, "compared": 20,
                      "wanted": 0.97, "passed": False},
            "calibration": [{"from": 0.9, "images": 6, "mean_confidence": 0.95, "right": 1.0}],
            "contested": [{"index": 2, "source": sources[2], "label": "cat", "confidence": 0.9,
                           "guess": "dog", "sure": 0.98}],
        },
        remembered={"workers": 1, "of": 2},
        common_label={"label": "cat", "share": 0.86},
        gold=plain["gold"] | {"images": 6},
        gold_in_doubt={
            "count": 1,
            "images": [{"index": 1, "source": sources[1], "gold": "cat", "label": "dog",
                        "confidence": 0.97, "said": {"dog": 3, "cat": 1}}],
        },
        sheets={
            label: [{"index": index, "confidence": 0.5 + index / 10} for index in range(4)]
            for label in list(labels)[:2]
        },
        doubtful=[
            {"index": 3, "source": sources[3], "label": "cat", "confidence": 0.6,
             "said": {"cat": 1, "dog": 2}},
        ],
        cost=plain["cost"] | {"service": "public", "price_per_page": 0.012, "fees": 1.2,
                              "fees_alone": 12},
    )  # fmt: skip


FACTS = {
    "project": "pets", "began": "2026-11-23 01:51", "took": "16 minutes",
    "review": "tessera review pets-may-0123456789ab --label LABEL",
}  # fmt: skip
"""What the page says beside the figures, as a person's own report has it."""
