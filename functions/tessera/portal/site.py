"""Public pages of the portal: its own page, the page's assets, and the frame of a task's page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

from tessera.portal.errors import Unknown
from tessera.portal.http import SAFE_HEADERS, Request, Response, page_response
from tessera.portal.ports import Ports
from tessera.tiling.page.crowd_elements import page_hosts
from tessera.tiling.settings import Language

REQUESTS_PER_MINUTE = 240
"""Requests a worker may make in a minute. Twenty pages a minute, each with its claim, its answer
and a renewal, take 60; what is more is a script."""

ASSETS = {
    "portal.js": "text/javascript",
    "session.js": "text/javascript",
    "federation.js": "text/javascript",
    "words.js": "text/javascript",
    "design.css": "text/css",
    "begun.js": "text/javascript",
    "drafts.js": "text/javascript",
    "review.js": "text/javascript",
    "tabs.js": "text/javascript",
    "portal.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""Files of the page, by the names under which they may be asked for: names, never paths."""

LANGUAGES: tuple[str, ...] = get_args(Language)
"""Languages that the portal speaks: each has its words in `ui/languages`."""


@dataclass(frozen=True)
class Site:
    """Folder of the portal's pages, and how the browser signs in.

    `cognito` is the address that sign-ins go to and `client` the pool's client; `mfa` says whether
    the pool asks for a second factor (OFF, OPTIONAL, ON). With an organization's own sign-in,
    `provider` is its name, `domain` the pool's address for it and `federated_client` its client.
    `aws_crowd` says that pages may load AWS's own script of crowd elements; `page_hosts` are other
    hosts that pages may load scripts and styles from, with commas between.
    """

    ui: Path
    cognito: str
    client: str
    region: str
    aws_crowd: bool = False
    requests_per_minute: int = REQUESTS_PER_MINUTE
    mfa: str = "OFF"
    provider: str = ""
    domain: str = ""
    federated_client: str = ""
    page_hosts: str = ""


def show_portal(ports: Ports, site: Site, request: Request) -> Response:
    """Return the page that workers sign in to and work on."""
    from liquid import Environment  # late: no other request of a worker waits for it

    template = read_file(site.ui / "portal" / "index.liquid.html")
    html = (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            languages=" ".join(LANGUAGES),
            cognito=site.cognito,
            client=site.client,
            mfa=site.mfa,
            provider=site.provider,
            domain=site.domain,
            federated_client=site.federated_client,
            mark=SAFE_HEADERS["tessera"],
        )
    )
    services = " ".join(filter(None, ("'self'", site.cognito, site.domain)))
    # Nothing inline, nothing from elsewhere; the frame alone may hold what a requester wrote.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {services}; frame-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; "
        # No text becomes markup or a script by any way of the DOM: no policy may make it so.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return page_response(html, "text/html", policy)


def show_asset(ports: Ports, site: Site, request: Request) -> Response:
    """Return a script, a style sheet or an image of the page."""
    name = request.parts["name"]
    language = name.removesuffix(".json")
    if language in LANGUAGES and name != language:
        words = read_file(site.ui / "languages" / name)
        return page_response(words, "application/json", "default-src 'none'")
    if name not in ASSETS:
        raise Unknown("There is no such page.")
    # The design is the worker's page's and the report's too, so it lies beside the portal.
    folder = site.ui if name == "design.css" else site.ui / "portal"
    return page_response(read_file(folder / name), ASSETS[name], "default-src 'none'")


def show_frame(ports: Ports, site: Site, request: Request) -> Response:
    """Return the sandbox in which a task's page runs.

    It allows scripts, and no way to the portal's token: docs/decisions/portal-page-in-a-sandbox.md.
    """
    # The query asks, and the stack decides.
    crowd = " https://assets.crowd.aws" if site.aws_crowd and request.query == "crowd=aws" else ""
    crowd += "".join(f" https://{host}" for host in page_hosts(site.page_hosts))
    policy = (
        f"sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'{crowd}; "
        f"style-src 'unsafe-inline'{crowd}; font-src data:{crowd}; img-src * data: blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return page_response(read_file(site.ui / "portal" / "frame.html"), "text/html", policy)


def read_file(path: Path) -> str:
    """Return a file's text, read again when the file has changed."""
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)  # some versions of each of six files, on one machine where they are edited
def _read(path: Path, changed: int) -> str:
    return path.read_text("utf-8")
