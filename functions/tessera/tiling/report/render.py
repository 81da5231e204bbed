"""Write a report's figures as report.json for programs and report.html for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from tessera.tiling.report.charts import charts
from tessera.tiling.report.wording import number, percent

if TYPE_CHECKING:
    from liquid import BoundTemplate

NO_FACTS: Mapping[str, str] = MappingProxyType({})


def render_json(figures: Mapping[str, Any]) -> bytes:
    """Return `report.json`, indented: people read it too."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"


def render_html(
    template: str,
    figures: Mapping[str, Any],
    pictures: Mapping[int, str] | None = None,
    facts: Mapping[str, str] = NO_FACTS,
) -> str:
    """Return `report.html`, from the template `ui/report.liquid.html`.

    `pictures` has by image the address of its picture, or the picture itself as a data URI; `facts`
    are `project`, `began`, `took` and `review`, the command that shows a label's pictures.
    """
    doubtful, contested, gold = (
        [image | {"picture": (pictures or {}).get(image["index"], "")} for image in images]
        for images in (
            figures.get("doubtful") or [],
            (figures.get("guesses") or {}).get("contested") or [],
            (figures.get("gold_in_doubt") or {}).get("images") or [],
        )
    )
    return render_page(
        template,
        report=dict(figures),
        charts=charts(figures),
        doubtful=doubtful,
        contested=contested,
        gold=gold,
        sheets=_sheets(figures, pictures or {}),
        facts=dict(facts),
    )


def render_page(template: str, **values: Any) -> str:
    """Return a page for people from its template; what the values say is escaped."""
    return _compiled(template).render(**values)


@lru_cache(maxsize=8)
def _compiled(template: str) -> BoundTemplate:
    """Parse a page's template, which takes longer than to fill it."""
    from liquid import Environment  # late: only the end of a run needs it, and loading takes 0.2 s

    # escaped: question and labels are the requester's words
    environment = Environment(autoescape=True)
    environment.filters["percent"] = percent
    environment.filters["number"] = number
    return environment.from_string(template)


def _sheets(figures: Mapping[str, Any], pictures: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return each label with those of its images that there are pictures of."""
    sheets = [
        {
            "label": label,
            "images": [
                image | {"picture": pictures[image["index"]]}
                for image in images
                if image["index"] in pictures
            ],
        }
        for label, images in (figures.get("sheets") or {}).items()
    ]
    return [sheet for sheet in sheets if sheet["images"]]
