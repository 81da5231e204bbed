"""A sign-in that was ended opens nothing any more, although its tokens are good for an hour."""

from __future__ import annotations

import pytest

from tessera.portal import leases
from tessera.portal.rights import Rights
from tessera.portal.routes import ROUTES, Route
from tessera.portal.sessions import end_sessions
from tests.portal.world import World, answer_of, path_of

SIGNED_IN = [route for route in ROUTES if route.rights is not Rights.PUBLIC]
NOW = 1_700_000_000
"""The clock's time when a world begins."""


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def status(world: World, route: Route, worker: str = "ann", **claims: str) -> int:
    """The status of the response to a requester's request of the route."""
    return world.ask(route.method, path_of(route), worker, groups="[requesters]", **claims)[0]


@pytest.mark.parametrize("route", SIGNED_IN, ids=name)
def test_a_sign_in_that_its_worker_ended_opens_no_route_and_others_go_on(
    world: World, route: Route
) -> None:
    world.open(tasks=3)
    ended = {"origin_jti": "tab-1", "auth_time": str(NOW - 600)}
    assert world.ask("DELETE", "/session", **ended)[0] == 204
    assert status(world, route, **ended) == 401
    renewed = ended | {"iat": str(NOW + 5)}  # by a refresh token that was in use just then
    assert status(world, route, **renewed) == 401
    assert status(world, route, origin_jti="tab-2", auth_time=str(NOW - 600)) != 401
    assert status(world, route, "ben", origin_jti="tab-3", auth_time=str(NOW - 600)) != 401


@pytest.mark.parametrize("route", SIGNED_IN, ids=name)
def test_a_reset_ends_all_sign_ins_before_it_and_none_after(world: World, route: Route) -> None:
    world.open(tasks=3)
    end_sessions(world.ports, "ann")
    for when in (NOW - 3600, NOW - 1, NOW):
        assert status(world, route, origin_jti=f"at-{when}", auth_time=str(when)) == 401
    assert status(world, route) == 401  # a token that does not say when its sign-in was
    assert status(world, route, origin_jti="later", auth_time=str(NOW + 1)) != 401
    assert status(world, route, "ben", auth_time=str(NOW - 1)) != 401


def test_a_worker_who_chose_a_new_password_ends_all_sign_ins_but_this_one(world: World) -> None:
    own = {"origin_jti": "new", "auth_time": str(NOW)}
    assert world.ask("DELETE", "/session?everywhere", **own)[0] == 204
    assert world.ask("GET", "/me", **own)[0] == 200
    assert world.ask("GET", "/me", origin_jti="old", auth_time=str(NOW - 1))[0] == 401


@pytest.mark.parametrize("route", SIGNED_IN, ids=name)
def test_a_removed_worker_is_told_so_by_every_route_and_stays_removed(
    world: World, route: Route
) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    leases.block_worker(world.ports, "ann")
    end_sessions(world.ports, "ann")  # a reset that comes after takes nothing back
    claims = {"origin_jti": "x", "auth_time": str(NOW + 60)}
    response = world.ask(route.method, path_of(route), "ann", None, "[requesters]", **claims)
    assert (response[0], response[1]["error"]) == (403, "Removed")
    assert "removed" in response[1]["message"]
    answered = world.ask(
        "PUT", f"/jobs/{job.name}/tasks/{task}/answer", "ann", answer_of(job, task), **claims
    )
    assert answered[0] == 403
    assert world.stored(job) == {}


def test_a_token_without_a_sign_in_ends_by_the_time_of_its_own(world: World) -> None:
    assert world.ask("DELETE", "/session", auth_time=str(NOW))[0] == 204
    assert world.ask("GET", "/me", auth_time=str(NOW))[0] == 401
    assert world.ask("GET", "/me", auth_time=str(NOW + 1))[0] == 200


def test_a_refresh_token_is_no_token_of_the_portal(world: World) -> None:
    assert world.ask("GET", "/me", token_use="refresh")[0] == 401
    assert {world.ask("GET", "/me", token_use=use)[0] for use in ("id", "access")} == {200}
