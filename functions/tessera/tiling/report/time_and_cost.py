"""Compare the time and fees of tiled pages with one image a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tessera.tiling.estimate import (
    OBJECT_PRICE,
    SECONDS_A_PAGE,
    SECONDS_AN_IMAGE,
    page_seconds,
)
from tessera.tiling.settings import Settings


def time_figures(
    answers: int, seconds_per_image: float | None, settings: Settings
) -> dict[str, Any]:
    """Hours of work beside those that one image a page would have taken.

    Without measured seconds, what the page's size lets expect stands in, and `measured` is false.
    """
    pace = seconds_per_image or round(page_seconds(settings.images_per_task), 3)
    # what a page of one adds to an image is known only from the post that measured both
    alone = SECONDS_AN_IMAGE + SECONDS_A_PAGE
    return {
        "measured": seconds_per_image is not None,
        "seconds_per_image": pace,
        "seconds_per_image_alone": alone,
        "hours": round(answers * pace / 3600, 4),
        "hours_alone": round(answers * alone / 3600, 4),
    }


def cost_figures(rounds: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """The labeling service's fees beside those of one image a page; none on the portal."""
    price = 0.0 if settings.workforce == "portal" else OBJECT_PRICE
    pages = sum(entry["tasks"] for entry in rounds)
    alone = sum(entry["images"] for entry in rounds)
    return {
        "service": "portal" if settings.workforce == "portal" else "ground-truth",
        "price_per_page": price,
        "pages": pages,
        "pages_alone": alone,
        "fees": round(pages * price, 2),
        "fees_alone": round(alone * price, 2),
    }
