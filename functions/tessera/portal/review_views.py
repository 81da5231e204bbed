"""Views of reviewers: pictures of a run with the crowd's answers, to decide.

The pictures are shown in a sandbox as a task's are, so what is answered here is content alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tessera.portal.errors import Invalid, Unknown
from tessera.portal.http import Request, Response, json_response
from tessera.portal.ports import Ports
from tessera.portal.reviews import (
    Review,
    decide,
    find_entry,
    list_entries,
    read_latest,
    read_review,
    sources_of,
)
from tessera.portal.rights import may_review
from tessera.portal.sessions import require_active
from tessera.portal.signing import grant
from tessera.portal.site import Site, read_file
from tessera.tiling.decisions import Deciding
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.page.page import inline_script, shortcut_keys
from tessera.tiling.page.page_copy import original_uri

MAX_ADDRESSES = 200
"""Pictures whose addresses are made in one request: more than a screen holds."""

PARTS = {
    "design.css": "design.css",
    "words.js": "portal/words.js",
    "boxes.css": "boxes/styles/boxes.css",
    "shape.js": "boxes/script/shape.js",
    "character.js": "tiles/script/character.js",
}
"""Files that stand in a review's page, by their names there."""

ADDRESS_SECONDS = 3600
"""Seconds for which a picture's address is good; the page asks for new ones when one fails."""


def list_reviews(ports: Ports, site: Site, request: Request) -> Response:
    """List the open reviews of the reviewer."""
    require_active(ports, request)
    reviews = [
        {"run": entry.run, "title": entry.title, "project": entry.project, "images": entry.pictures}
        for entry in list_entries(ports)
        if may_review(request.groups, entry.team)
    ]
    return json_response(200, {"reviews": reviews})


def show_review(ports: Ports, site: Site, request: Request) -> Response:
    """Show a review: the page, its pictures with who answered what, and what is decided."""
    review = _review(ports, request)
    latest = read_latest(ports.files, review.home, review)
    for uri in latest.broken:  # the picture stays to decide
        ports.report(review.run, ValueError(f"{uri} is no decision"))
    images: list[dict[str, Any]] = []
    for picture in review.pictures:
        image = msgspec.to_builtins(picture)
        del image["source"]  # an address is signed for whom it is shown to
        decision = latest.decisions.get(picture.index)
        images.append(image | ({"decision": decision.label} if decision else {}))
    content = {
        "run": review.run,
        "title": review.title,
        "question": review.question,
        "choices": review.choices,
        "escape": review.escape,
        "several": review.is_multi,
        "keys": shortcut_keys(review.choices),
        "images": images,
        "page": _page(site),
    }
    return json_response(200, content)


def _page(site: Site) -> str:
    """Return the page of a review, which its sandbox loads nothing for but pictures.

    How a box lies on its picture is said by the files of the worker's page.
    """
    page = read_file(site.ui / "portal" / "review.html")
    for name, place in PARTS.items():
        page = page.replace(f"/* {name} */", inline_script(read_file(site.ui / place)))
    return page


def sign_pictures(ports: Ports, site: Site, request: Request) -> Response:
    """Give addresses of some pictures of a review, which last an hour."""
    review = _review(ports, request)
    try:
        indexes = msgspec.json.decode(request.body, type=dict[str, list[int]])["images"]
    except (*NOT_JSON, KeyError) as error:
        raise Invalid('The request is not {"images": [index, …]}.') from error
    sign = grant(ports, ports.clock() + ADDRESS_SECONDS)
    sources = sources_of(review, indexes[:MAX_ADDRESSES])
    addresses = {
        str(index): {"address": sign(uri), "original": sign(original_uri(uri) or uri)}
        for index, uri in sources.items()
    }
    return json_response(200, {"addresses": addresses})


def decide_image(ports: Ports, site: Site, request: Request) -> Response:
    """Save what the reviewer decided of a picture; a label of null takes the decision back."""
    review = _review(ports, request)
    try:
        label = msgspec.json.decode(request.body, type=dict[str, Deciding])["label"]
    except (*NOT_JSON, KeyError) as error:
        raise Invalid('The request is not {"label": "…"} or {"label": {"…": true}}.') from error
    decide(ports, review, request.index, label, by=request.worker, name=request.name)
    return json_response(200, {"outcome": "saved", "message": "Saved."})


def _review(ports: Ports, request: Request) -> Review:
    """Return the review in the path, if whoever asks may decide it."""
    require_active(ports, request)
    entry = find_entry(ports.table, request.run)
    if entry is None or not may_review(request.groups, entry.team):
        raise Unknown("There is no such review.")
    return read_review(ports.files, entry.home)
