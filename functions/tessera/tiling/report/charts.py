"""The geometry of the report's figures: numbers in, positions out; the page draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

WIDTH, HEIGHT = 600, 160
"""Of a chart's plane, in the units of its view box."""
MATRIX = 12
"""Labels up to which the whole matrix of mistakes is shown."""


def charts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that `ui/report.liquid.html` draws of a report's figures."""
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
        "workers": [interval(worker) for worker in figures["workers"]],
    }


def parts(named: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Parts of a whole, side by side; those of nothing are left out.

    >>> [(part["name"], part["x"], part["width"]) for part in parts([("a", 1), ("b", 3), ("c", 0)])]
    [('a', 0.0, 150.0), ('b', 150.0, 450.0)]
    """
    whole = sum(count for _, count in named) or 1
    made, x = [], 0.0
    for number, (name, count) in enumerate(named):
        width = count / whole * WIDTH
        if count:
            share = f"{count / whole:.1%}"
            made.append(
                {
                    "name": name,
                    "count": count,
                    "share": share,
                    "kind": number,
                    "x": round(x, 1),
                    "width": round(width, 1),
                }
            )
        x += width
    return made


def bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """One bar a name, the longest as long as the plane.

    >>> bars({"cat": 30, "dog": 10})[1]
    {'name': 'dog', 'count': 10, 'share': '25.0%', 'length': 200.0}
    """
    most, whole = max(counts.values(), default=0) or 1, sum(counts.values()) or 1
    return [
        {
            "name": name,
            "count": count,
            "share": f"{count / whole:.1%}",
            "length": round(count / most * WIDTH, 1),
        }
        for name, count in counts.items()
    ]


def columns(counts: Sequence[int]) -> list[dict[str, Any]]:
    """One column a count, side by side, the highest as high as the plane.

    >>> columns([1, 2])[1]
    {'count': 2, 'x': 304.0, 'y': 0.0, 'width': 292.0, 'height': 160.0, 'middle': 450.0}
    """
    most, step = max(counts, default=0) or 1, WIDTH / max(len(counts), 1)
    return [
        {
            "count": count,
            "x": round(number * step + 4, 1),
            "y": round(HEIGHT - count / most * HEIGHT, 1),
            "width": round(step - 8, 1),
            "height": round(count / most * HEIGHT, 1),
            "middle": round((number + 0.5) * step, 1),
        }
        for number, count in enumerate(counts)
    ]


def points(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A circle a bin in a square of 300: across how confident, up how often right.

    >>> points([{"images": 9, "mean_confidence": 0.9, "right": 1.0}])[0]["x"]
    270.0
    """
    most = max((entry["images"] for entry in bins), default=1) or 1
    return [
        {
            "x": round(entry["mean_confidence"] * 300, 1),
            "y": round(300 - entry["right"] * 300, 1),
            "radius": round(4 + 12 * sqrt(entry["images"] / most), 1),
            "images": entry["images"],
            "confidence": f"{entry['mean_confidence']:.0%}",
            "right": f"{entry['right']:.0%}",
        }
        for entry in bins
    ]


def effort(time: Mapping[str, Any], cost: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pairs of bars: this way and one image a page, each to the scale of its pair."""
    pairs = []
    if time.get("hours_alone"):
        pairs.append(_pair("Hours of work", time["hours"], time["hours_alone"], "{:,.2f} h"))
    if cost.get("pages_alone"):
        pairs.append(_pair("Pages", cost["pages"], cost["pages_alone"], "{:,}"))
    if cost.get("fees_alone"):
        pairs.append(_pair("Service fees", cost["fees"], cost["fees_alone"], "${:,.2f}"))
    return pairs


def _pair(name: str, now: float, alone: float, form: str) -> dict[str, Any]:
    return {
        "name": name,
        "now": form.format(now),
        "alone": form.format(alone),
        "saved": f"{1 - now / alone:.0%}",
        "length": round(min(1.0, now / alone) * WIDTH, 1),
        "length_alone": WIDTH,
    }


def interval(worker: Mapping[str, Any]) -> dict[str, Any]:
    """Where a worker's accuracy and its interval lie on a line of 100.

    >>> interval({"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95})
    {'low': 80.0, 'middle': 90.0, 'length': 15.0}
    """
    low, high = worker.get("accuracy_low") or 0.0, worker.get("accuracy_high") or 1.0
    middle = worker.get("accuracy")
    return {
        "low": round(low * 100, 1),
        "middle": round(100 * (low if middle is None else middle), 1),
        "length": round((high - low) * 100, 1),
    }
