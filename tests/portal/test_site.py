"""The public pages: what the browser is told, and what it may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tessera.portal.site import Site
from tests.portal.world import World, http_event

UI = Path(__file__).parent.parent.parent / "ui" / "portal"


@pytest.mark.parametrize("name", ["frame.html", "..", "index.liquid.html", "page.js", "x" * 30])
def test_no_other_file_is_an_asset(world: World, name: str) -> None:
    assert world.ask("GET", f"/assets/{name}", worker="")[0] == 404


def test_the_page_runs_no_script_but_its_own_and_is_framed_by_nobody(world: World) -> None:
    status, page = world.ask("GET", "/", worker="")
    policy = world.headers["content-security-policy"]
    assert status == 200
    assert "script-src 'self';" in policy
    assert "connect-src 'self' https://cognito.test;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! src=)|<style| on[a-z]+=| style=", page)


def test_the_frame_is_a_sandbox_without_an_origin(world: World) -> None:
    world.ask("GET", "/frame", worker="")
    policy = world.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy  # so default-src 'none' holds: no requests but pictures
    assert "frame-ancestors 'self'" in policy
    script = (UI / "portal.js").read_text()
    assert set(re.findall(r'sandbox: "([^"]*)"', script)) == {"allow-scripts"}


def test_no_address_that_the_page_asks_holds_a_token() -> None:
    script = (UI / "portal.js").read_text()
    addresses = re.findall(r"`((?:jobs|me|frame)[^`]*)`|\"((?:jobs|me|frame)[^\"]*)\"", script)
    assert addresses
    assert not any(
        "token" in "".join(address) or "session" in "".join(address) for address in addresses
    )


def test_the_settings_in_the_page_are_escaped(world: World) -> None:
    site = Site(world.site.ui, 'https://c.test/"><script>', "c&d", "r")
    page = world.respond(http_event("GET", "/"), site)["body"]
    assert "<script>" not in page
    assert "c&amp;d" in page


def test_the_frames_policy_lets_amazons_script_in_only_where_it_is_allowed(world: World) -> None:
    event = http_event("GET", "/frame") | {"rawQueryString": "crowd=aws"}
    for allowed in (True, False):
        site = Site(world.site.ui, "https://c.test", "c", "r", allowed)
        policy = world.respond(event, site)["headers"]["content-security-policy"]
        assert ("https://assets.crowd.aws" in policy) == allowed


def test_pages_load_scripts_and_styles_from_the_hosts_that_the_stack_names_alone(
    world: World,
) -> None:
    site = Site(world.site.ui, "https://c.test", "c", "r", page_hosts="d3js.org,*,'self',a.b.test")
    policy = world.respond(http_event("GET", "/frame"), site)["headers"]["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";") if " " in part)
    for kind in ("script-src", "style-src"):
        assert directives[kind] == "'unsafe-inline' https://d3js.org https://a.b.test"
    assert "connect-src" not in directives  # what a script of elsewhere reads stays in the frame


def test_a_message_from_elsewhere_is_no_answer() -> None:
    script = (UI / "portal.js").read_text()
    heard = script[script.index('addEventListener("message"') :]
    assert "each.contentWindow === event.source" in heard
    assert 'kind === "answer" && page === work?.current' in heard
