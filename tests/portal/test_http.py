"""Requests and responses."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tessera.portal.http import groups_in, read_request
from tests.portal.world import World, http_event


def test_a_body_beyond_the_limit_is_413_before_it_is_read(world: World) -> None:
    job = world.open(tasks=1)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body="x" * (513 * 1024))[0] == 413
    assert world.stored(job) == {}


def test_a_body_in_base64_is_read_as_it_is(world: World) -> None:
    event = {
        "body": base64.b64encode(b'{"a":1}').decode(),
        "isBase64Encoded": True,
        "requestContext": {"stage": "prod", "http": {"method": "POST"}},
    }
    assert read_request(event, {}).body == b'{"a":1}'


@given(st.text(st.characters(exclude_categories=())), st.booleans())
@example("\ud800", False)
@example("abcde", True)
def test_no_body_is_taken_for_a_fault_of_the_portal(body: str, is_base64: bool) -> None:
    world = World()
    job = world.open(tasks=1)
    event = http_event("POST", f"/jobs/{job.name}/claims", sub="ann")
    response = world.respond(event | {"body": body, "isBase64Encoded": is_base64})
    assert response["statusCode"] in {200, 400}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/frame",
        "/assets/portal.js",
        "/assets/portal.css",
        "/assets/design.css",
        "/me",
        "/nothing",
    ],
)
def test_every_response_carries_the_security_headers(world: World, path: str) -> None:
    world.ask("GET", path)
    assert world.headers["x-content-type-options"] == "nosniff"
    assert world.headers["referrer-policy"] == "no-referrer"
    assert world.headers["tessera"] == "portal"  # its page believes no other response
    assert "max-age" in world.headers["strict-transport-security"]
    assert "default-src 'none'" in world.headers["content-security-policy"]
    assert world.headers["cache-control"] in {"no-store", "no-cache"}


def test_the_groups_of_a_token_are_read_as_either_gateway_writes_them() -> None:
    assert groups_in("[a b]") == groups_in(["a", "b"]) == groups_in("a, b") == ["a", "b"]
    assert groups_in("") == []


def test_a_request_from_another_site_is_told_nothing_by_cors(world: World) -> None:
    for path in ("/", "/frame", "/jobs", "/me"):
        world.ask("GET", path)
        assert not [name for name in world.headers if name.startswith("access-control")]
    assert world.ask("OPTIONS", "/jobs")[0] == 404
