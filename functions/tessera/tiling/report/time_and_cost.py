"""Compare the time and fees of tiled pages with one image a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tessera.tiling.estimate import (
    OBJECT_PRICE,
    SECONDS_A_PAGE,
    SECONDS_AN_IMAGE,
    embedding_dollars,
    page_seconds,
)
from tessera.tiling.run.run import Run
from tessera.tiling.settings import Settings


def time_figures(
    answers: int, seconds_per_image: float | None, settings: Settings
) -> dict[str, Any]:
    """Compare the hours of work with those that one image a page would have taken.

    Without measured seconds, those expected for the page's size are used, and `measured` is false.
    """
    seconds = seconds_per_image or round(page_seconds(settings.images_per_task), 3)
    # never measured in a run: nobody labels the same images once more, one by one
    seconds_alone = SECONDS_AN_IMAGE + SECONDS_A_PAGE
    return {
        "measured": seconds_per_image is not None,
        "seconds_per_image": seconds,
        "seconds_per_image_alone": seconds_alone,
        "hours": round(answers * seconds / 3600, 4),
        "hours_alone": round(answers * seconds_alone / 3600, 4),
    }


def cost_figures(rounds: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """Compare the labeling service's fees with those of one image a page; the portal has none.

    Ground Truth charges for a page, however many workers answer it: with one image a page, every
    image of every round is one.
    """
    on_portal = settings.on_portal
    price = 0.0 if on_portal else OBJECT_PRICE
    # by what was asked, not by what was answered: Ground Truth takes its fee for both
    pages = sum(figures["tasks"] for figures in rounds)
    pages_alone = sum(figures["images"] for figures in rounds)
    return {
        "service": "portal" if on_portal else "ground-truth",
        "price_per_page": price,
        "pages": pages,
        "pages_alone": pages_alone,
        "fees": round(pages * price, 2),
        "fees_alone": round(pages_alone * price, 2),
    }


def embedding_figures(run: Run) -> dict[str, Any]:
    """Return what AWS charges for the pictures that a run embedded itself; nothing if it did not.

    It is computed from list prices, which one machine does not charge.
    """
    encoder = run.settings.own_encoder
    if encoder is None or not run.embeds_itself:
        return {}
    pictures = run.counts["lines"] - run.counts.get("rejected", 0)
    dollars = round(embedding_dollars(pictures, encoder), 4)
    return {"embedding": {"encoder": encoder, "pictures": pictures, "dollars": dollars}}
