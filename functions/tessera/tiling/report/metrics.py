"""Pick the figures of a finished run's report that are watched over time, as CloudWatch metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """Metric of a run: its unit as CloudWatch names it, and what it measures."""

    unit: str
    description: str


METRICS = {
    "ImagesIn": Metric("Count", "lines of the manifest"),
    "ImagesLabeled": Metric("Count", "lines that ended in the training manifest"),
    "ImagesUnlabeled": Metric("Count", "lines that nobody answered or could see"),
    "ImagesRejected": Metric("Count", "lines that could not be used"),
    "Tasks": Metric("Count", "pages asked, over all rounds"),
    "Answers": Metric("Count", "answers that count, one image by one worker"),
    "SecondsPerImage": Metric("Seconds", "median time that an answer took"),
    "Agreement": Metric("Percent", "answers that say what the image's label says"),
    "Confidence": Metric("Percent", "mean confidence of the labels"),
    "UnsureShare": Metric("Percent", "labeled images that one more answer would still help"),
    "ImagesLabeledByModel": Metric(
        "Count", "lines that a model labeled, of which nobody was asked"
    ),
    "HoursSaved": Metric("Count", "hours of work that one image a page would have cost more"),
    "CostSaved": Metric("Count", "US dollars of fees that one image a page would have cost more"),
}
"""Metrics that every finished run publishes, for its project and for all."""


def measure_run(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield name, unit and value of each metric that a report's figures have a value for.

    What nobody measured is left out: a zero or an expected value would be averaged into the graph.
    """
    images, agreement = figures["images"], figures["agreement"]
    time, cost = figures["time"], figures["cost"]
    labeled = images["training"]  # those that were labeled before are among them
    values = {
        "ImagesIn": images["lines"],
        "ImagesLabeled": labeled,
        "ImagesUnlabeled": images["unlabeled"],
        "ImagesRejected": images["rejected"],
        "Tasks": cost["pages"],
        "Answers": figures["answers"]["used"],
        "SecondsPerImage": time["seconds_per_image"] if time["measured"] else None,
        "Agreement": share_in_percent(agreement["agreeing"], agreement["compared"]),
        "Confidence": share_in_percent(figures["confidence"]["mean"], 1),
        "UnsureShare": share_in_percent(images["uncertain"], labeled),
        "ImagesLabeledByModel": figures.get("guesses", {}).get("labeled"),
        "HoursSaved": time["hours_alone"] - time["hours"] if time["measured"] else None,
        "CostSaved": cost["fees_alone"] - cost["fees"],
    }
    for name, value in values.items():
        if value is not None:
            yield name, METRICS[name].unit, round(float(value), 4)


def pace_by_order(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's order with the seconds an answer took, None if nobody measured them.

    Over several runs they tell whether pages of alike pictures are decided faster.
    """
    time = figures["time"]
    seconds = time["seconds_per_image"] if time["measured"] else None
    return {"order": figures["settings"]["order"], "seconds_per_image": seconds}


def share_in_percent(part: float | None, whole: float) -> float | None:
    """Return a part's share in percent, or None if there is no part or nothing to share.

    >>> share_in_percent(3, 4), share_in_percent(0, 0)
    (75.0, None)
    """
    return None if part is None or not whole else 100 * part / whole
