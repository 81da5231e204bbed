"""Results of functions that the tests of the machine's expressions share."""

from __future__ import annotations

from typing import Any

HOME = "s3://labels/runs/pets-may-2f9a/"


def grouped(shards: int = 1, **more: Any) -> dict[str, Any]:
    """Return what GroupImages returns of a run of a thousand images; `more` differs."""
    return {
        "outcome": "ask",
        "run": "pets-may-2f9a",
        "home": HOME,
        "round": 1,
        "shards": shards,
        "tasks": 50,
        "images": 1000,
        "rejected": 0,
        "workforce": "portal",
        "request": {"LabelAttributeName": "label", "InputConfig": {"DataAttributes": {}}},
    } | more
