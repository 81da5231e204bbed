"""Powertools' resolver in front of the routes."""

from __future__ import annotations

import logging

import pytest

from tests.portal.world import World, http_event


def secret_request() -> dict[str, object]:
    event = http_event("GET", "/jobs", sub="ann", email="SECRET@example.org")
    return event | {"headers": {"authorization": "Bearer SECRET"}, "body": "SECRET"}


@pytest.mark.parametrize("fails", [False, True])
def test_no_debug_mode_of_the_environment_prints_a_request(
    fails: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    monkeypatch.setenv("POWERTOOLS_DEV", "true")
    monkeypatch.setenv("POWERTOOLS_DEBUG", "true")
    caplog.set_level(logging.DEBUG)
    if fails:
        world.table = None
    status = world.respond(secret_request())["statusCode"]
    printed = capfd.readouterr()
    assert status == (500 if fails else 200)
    assert "SECRET" not in printed.out + printed.err + caplog.text


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PATCH", "POST"])
def test_a_method_that_no_route_has_is_404_in_the_portals_own_words(
    method: str,
) -> None:
    assert World().ask(method, "/jobs") == (
        404,
        {"error": "Unknown", "message": "There is no such page."},
    )


def test_the_stage_is_no_part_of_the_path() -> None:
    event = http_event("GET", "/frame")
    event["rawPath"] = "/prod/frame"
    event["requestContext"]["stage"] = "prod"
    assert World().respond(event)["statusCode"] == 200
