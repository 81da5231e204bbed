"""Routes: every one states its rights, and what states more than none is behind the sign-in."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from scripts.deployment import read_template
from tessera.portal.rights import Rights
from tessera.portal.routes import ROUTES, Route
from tests.portal.world import World, path_of

THREATS = (Path(__file__).parent.parent.parent / "docs" / "threat-model.md").read_text("utf-8")
SIGNED_IN = [route for route in ROUTES if route.rights is not Rights.PUBLIC]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_routes_without_sign_in_are_those_that_the_threat_model_names() -> None:
    (row,) = (row for row in THREATS.splitlines() if row.startswith("| A request without a token"))
    named = re.findall(r"`([A-Z]+ /[^`]*)`", row)
    assert sorted(named) == sorted(name(route) for route in ROUTES if route not in SIGNED_IN)


def test_every_route_states_its_rights_and_no_two_have_the_same_address() -> None:
    assert all(isinstance(route.rights, Rights) for route in ROUTES)
    assert len({name(route) for route in ROUTES}) == len(ROUTES)


@pytest.mark.thorough
@pytest.mark.parametrize("route", SIGNED_IN, ids=name)
def test_a_route_behind_the_sign_in_is_behind_the_apis_authorizer(route: Route) -> None:
    resources = read_template()["Resources"].values()
    authorized = [
        resource["Properties"]["RouteKey"].removeprefix("ANY ").replace("{proxy+}", "*")
        for resource in resources
        if resource["Properties"].get("AuthorizationType") == "JWT"
    ]
    assert any(fnmatchcase(path_of(route), pattern) for pattern in authorized)


@pytest.mark.parametrize("route", SIGNED_IN, ids=name)
def test_every_route_without_a_checked_token_answers_401(world: World, route: Route) -> None:
    world.open(tasks=3)
    assert world.ask(route.method, path_of(route), worker="")[0] == 401


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.rights is Rights.REQUESTER], ids=name
)
def test_a_route_for_requesters_is_not_there_for_others(world: World, route: Route) -> None:
    world.open(tasks=3)
    assert world.ask(route.method, path_of(route), groups="[cats]")[0] == 404
    assert world.ask(route.method, path_of(route), groups="[requesters]")[0] == 200


@pytest.mark.parametrize("path", ["/Jobs", "/jobs/../jobs", "/%6Aobs", "//jobs", "/jobs/a b", "/x"])
def test_a_path_that_the_authorizer_would_not_match_opens_nothing(world: World, path: str) -> None:
    world.open(tasks=3)
    assert world.ask("GET", path, worker="")[0] in {401, 404}


@pytest.mark.parametrize("job", ["a#b", "a_b", "a.b", "a b", "x" * 64, "é"])
def test_a_job_whose_name_can_be_none_is_404(world: World, job: str) -> None:
    world.open(tasks=3)
    assert world.ask("GET", f"/jobs/{job}", groups="[requesters]")[0] == 404
    assert world.ask("POST", f"/jobs/{job}/claims")[0] == 404
