"""What a run is measured by: the figures of its report that are watched over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Measure(NamedTuple):
    """A metric: its unit as CloudWatch names it, and what it says."""

    unit: str
    says: str


MEASURES = {
    "ImagesIn": Measure("Count", "lines of the manifest"),
    "ImagesLabeled": Measure("Count", "lines that ended in the training manifest"),
    "ImagesUnlabeled": Measure("Count", "lines that nobody answered or could see"),
    "ImagesRejected": Measure("Count", "lines that could not be used"),
    "Tasks": Measure("Count", "pages asked, over all rounds"),
    "Answers": Measure("Count", "answers that count, one image by one worker"),
    "SecondsPerImage": Measure("Seconds", "median time that an answer took"),
    "Agreement": Measure("Percent", "answers that say what the image's label says"),
    "Confidence": Measure("Percent", "mean confidence of the labels"),
    "UnsureShare": Measure("Percent", "labeled images that one more answer would still help"),
    "HoursSaved": Measure("Count", "hours of work that one image a page would have cost more"),
    "CostSaved": Measure("Count", "US dollars of fees that one image a page would have cost more"),
}
"""The metrics that every finished run publishes, for its project and for all."""


def run_measures(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Name, unit and value of the run's measures, from its report's figures; no unknown ones."""
    images, agreement = figures["images"], figures["agreement"]
    time, cost = figures["time"], figures["cost"]
    labeled = images["training"]
    found = {
        "ImagesIn": images["lines"],
        "ImagesLabeled": labeled,
        "ImagesUnlabeled": images["unlabeled"],
        "ImagesRejected": images["rejected"],
        "Tasks": cost["pages"],
        "Answers": figures["answers"]["used"],
        "SecondsPerImage": time["seconds_per_image"] if time["measured"] else None,
        "Agreement": share(agreement["agreeing"], agreement["compared"]),
        "Confidence": share(figures["confidence"]["mean"], 1),
        "UnsureShare": share(images["uncertain"], labeled),
        "HoursSaved": time["hours_alone"] - time["hours"] if time["measured"] else None,
        "CostSaved": cost["fees_alone"] - cost["fees"],
    }
    for name, value in found.items():
        if value is not None:
            yield name, MEASURES[name].unit, round(float(value), 4)


def share(part: float | None, whole: float) -> float | None:
    """A share in percent, nothing of nothing.

    >>> share(3, 4), share(0, 0)
    (75.0, None)
    """
    return None if part is None or not whole else 100 * part / whole
