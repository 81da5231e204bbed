"""Lay out the report's charts: figures in, positions out; ui/report.liquid.html draws them.

Positions are in the units of an SVG view box, so that the page can be any size and needs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

WIDTH, HEIGHT = 600, 160
"""Size of a chart's view box. The page's largest width is some 600 pixels: text keeps its size."""
SQUARE = 300
"""Side of the calibration chart: both axes are shares, so a step is as long on either."""
GAP = 8
"""Distance between two columns."""
SMALLEST, LARGEST = 4, 16
"""Radius of the calibration chart's circles: one image can still be seen, the most hide nothing."""
MATRIX = 12
"""Labels up to which the confusion matrix is shown: more columns do not fit a page in print."""


def charts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layout of every chart of the report."""
    images = figures["images"]
    agreement = figures.get("agreement") or {}
    labels = agreement.get("labels") or []
    return {
        "ends": parts(
            [
                ("in the training manifest", images["training"]),
                ("without a label", images["unlabeled"]),
                ("rejected", images["rejected"]),
            ]
        ),
        "labels": bars(figures["labels"]),
        "confidence": columns(figures["confidence"].get("tenths") or []),
        "calibration": points(figures.get("calibration") or []),
        "matrix": agreement.get("confusion", []) if len(labels) <= MATRIX else [],
        "effort": effort(figures.get("time") or {}, figures.get("cost") or {}),
        "workers": [
            interval(worker, balanced="common_label" in figures) for worker in figures["workers"]
        ],
    }


def parts(counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Lay the parts of a whole side by side; parts of nothing are left out.

    `kind` numbers the parts as they were given, so that each keeps its color.

    >>> [(part["name"], part["x"], part["width"]) for part in parts([("a", 1), ("b", 3), ("c", 0)])]
    [('a', 0.0, 150.0), ('b', 150.0, 450.0)]
    """
    whole = sum(count for _, count in counts) or 1
    layout, x = [], 0.0
    for kind, (name, count) in enumerate(counts):
        width = count / whole * WIDTH
        if count:
            layout.append(
                {
                    "name": name,
                    "count": count,
                    "share": f"{count / whole:.1%}",
                    "kind": kind,
                    "x": round(x, 1),
                    "width": round(width, 1),
                }
            )
        x += width
    return layout


def bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Lay out one bar for each name, the longest as long as the view box.

    >>> bars({"cat": 30, "dog": 10})[1]
    {'name': 'dog', 'count': 10, 'share': '25.0%', 'length': 200.0}
    """
    largest, whole = max(counts.values(), default=0) or 1, sum(counts.values()) or 1
    return [
        {
            "name": name,
            "count": count,
            "share": f"{count / whole:.1%}",
            "length": round(count / largest * WIDTH, 1),
        }
        for name, count in counts.items()
    ]


def columns(counts: Sequence[int]) -> list[dict[str, Any]]:
    """Lay out one column for each count, side by side, the highest as high as the view box.

    >>> columns([1, 2])[1]
    {'count': 2, 'x': 304.0, 'y': 0.0, 'width': 292.0, 'height': 160.0, 'middle': 450.0}
    """
    largest, step = max(counts, default=0) or 1, WIDTH / max(len(counts), 1)
    return [
        {
            "count": count,
            "x": round(number * step + GAP / 2, 1),
            "y": round(HEIGHT - count / largest * HEIGHT, 1),
            "width": round(step - GAP, 1),
            "height": round(count / largest * HEIGHT, 1),
            "middle": round((number + 0.5) * step, 1),
        }
        for number, count in enumerate(counts)
    ]


def points(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay out a circle for each bin: across how confident, up how often right, large if many.

    >>> points([{"images": 9, "mean_confidence": 0.9, "right": 1.0}])[0]["x"]
    270.0
    """
    largest = max((entry["images"] for entry in bins), default=1) or 1
    return [
        {
            "x": round(entry["mean_confidence"] * SQUARE, 1),
            "y": round(SQUARE - entry["right"] * SQUARE, 1),
            # by the root, so that the area tells the images apart
            "radius": round(SMALLEST + (LARGEST - SMALLEST) * sqrt(entry["images"] / largest), 1),
            "images": entry["images"],
            "confidence": f"{entry['mean_confidence']:.0%}",
            "right": f"{entry['right']:.0%}",
        }
        for entry in bins
    ]


def effort(time: Mapping[str, Any], cost: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lay out pairs of bars, this run and one image a page, each to the scale of its pair."""
    pairs = []
    if time.get("hours_alone"):
        pairs.append(_pair("Hours of work", time["hours"], time["hours_alone"], "{:,.2f} h"))
    if cost.get("pages_alone"):
        pairs.append(_pair("Pages", cost["pages"], cost["pages_alone"], "{:,}"))
    if cost.get("fees_alone"):
        pairs.append(_pair("Service fees", cost["fees"], cost["fees_alone"], "${:,.2f}"))
    return pairs


def _pair(name: str, value: float, value_alone: float, form: str) -> dict[str, Any]:
    return {
        "name": name,
        "now": form.format(value),
        "alone": form.format(value_alone),
        "saved": f"{1 - value / value_alone:.0%}",
        "length": round(min(1.0, value / value_alone) * WIDTH, 1),
        "length_alone": WIDTH,
    }


def interval(worker: Mapping[str, Any], *, balanced: bool = False) -> dict[str, Any]:
    """Lay a worker's accuracy and its interval on a line of 100, the balanced one if that is meant.

    >>> interval({"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95})
    {'low': 80.0, 'middle': 90.0, 'length': 15.0}
    """
    middle, ends = ("balanced_accuracy", "balanced") if balanced else ("accuracy", "accuracy")
    low, high = worker.get(f"{ends}_low") or 0.0, worker.get(f"{ends}_high") or 1.0
    accuracy = worker.get(middle)
    return {
        "low": round(low * 100, 1),
        "middle": round(100 * (low if accuracy is None else accuracy), 1),
        "length": round((high - low) * 100, 1),
    }
