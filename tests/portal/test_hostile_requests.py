"""Hostile requests: whatever comes on a route, the portal never fails by an error of its own."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal.reviews import open_review
from tessera.portal.routes import ROUTES, Route
from tests.examples import examples
from tests.portal.test_reviews import review
from tests.portal.world import World, http_event, path_of

ANYBODY = "[requesters reviewers]"
DEEP = "[" * 50_000
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.sampled_from([2**63, -(10**30), "0", "-1", "1e9", "٣", "__proto__", "\ud800", "\x00"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["showing", "label", "images", "meta", "tiles", "order", "id", "0-0",
                             "0-1", "0", "cat", "dog", "", "__proto__"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip
HOSTILE_BODIES = (
    "", "{", "null", "NaN", "\ufeff{}", DEEP, '{"label":' + DEEP,
    '{"meta":"' + "[" * 9000 + '"}',
    '{"label":"cat","label":"dog"}', '{"showing":[""]}', '{"showing":["9' + "9" * 5000 + '"]}',
    '{"images":[1e400]}', '{"images":[-1,99999999999999999999]}', '{"0-0":{"cat":true}}',
    '{"meta":"{\\"tiles\\":[{\\"id\\":[]}]}"}', '{"meta":{"tiles":1}}', '{"label":"\\ud800"}',
)  # fmt: skip
BODIES = st.one_of(VALUES.map(json.dumps), st.text(max_size=40), st.sampled_from(HOSTILE_BODIES))
HOSTILE_PARTS = (
    "0", "1", "4", "00", "-1", "1e3", "٣", "9" * 9, "9" * 10, "pets-1", "pets-1-r1-000", "..",
    "%2e%2e", "%00", "a" * 64, "a b", "é", "__proto__", "portal.js", "constructor",
)  # fmt: skip
PARTS = st.text(st.characters(exclude_characters="/?#"), min_size=1, max_size=12)
QUERIES = st.sampled_from(["", "everywhere", "everywhere=1", "%", "a=%00", "&&&=", "é"])
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.one_of(st.text(max_size=20), st.just("=HYPERLINK(1)")),
        "origin_jti": st.text(max_size=10),
        "cognito:groups": st.one_of(st.text(max_size=20), st.just(ANYBODY)),
        "auth_time": st.sampled_from(["0", "1764130000", "9999999999"]),
    },
)


WITH_BODY = [route for route in ROUTES if route.method in {"POST", "PUT"}]


def status_of(event: dict[str, Any]) -> int:
    """The status of the response of a portal with a job at work and a review.

    The worker holds one page and has answered another. A browser can read the response.
    """
    world = World()
    job = world.open(tasks=4)
    task = world.take(job, "ann")
    world.clock.wait(5)
    world.answer(job, "ann", task)
    world.take(job, "ann")
    open_review(world.ports, review())
    response = world.respond(event)
    json.dumps(response).encode()
    status: int = response["statusCode"]
    return status


def event_of(route: Route, path: str, body: str, **claims: str) -> dict[str, Any]:
    """A request that API Gateway hands on, of somebody who may make any."""
    event = http_event(route.method, path, **{"sub": "ann", "cognito:groups": ANYBODY} | claims)
    return event | {"body": body}


@pytest.mark.parametrize("body", HOSTILE_BODIES, ids=range(len(HOSTILE_BODIES)))
def test_no_hostile_body_makes_the_portal_fail(body: str) -> None:
    for route in WITH_BODY:
        for path in {path_of(route), path_of(route).replace("/tasks/0", "/tasks/1")}:
            assert status_of(event_of(route, path, body)) < 500, path


@pytest.mark.parametrize("body", [b"\xff", b'{"\xff": 1}', b'{"label": "\xff"}', b'{"0": "\xff"}'])
def test_no_body_of_bytes_that_are_no_text_makes_the_portal_fail(body: bytes) -> None:
    for route in WITH_BODY:
        event = event_of(route, path_of(route), b64encode(body).decode())
        assert status_of(event | {"isBase64Encoded": True}) < 500, route.path


@pytest.mark.parametrize("part", HOSTILE_PARTS)
def test_no_hostile_part_of_a_path_makes_the_portal_fail(part: str) -> None:
    for route in ROUTES:
        for name in re.findall(r"<\w+>", route.path):
            path = path_of(route._replace(path=route.path.replace(name, part)))
            assert status_of(event_of(route, path, "{}")) < 500, path


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
@settings(max_examples=examples(30))
@given(body=BODIES, base64=st.sampled_from([False, False, True]), task=st.sampled_from("0123"))
def test_no_body_that_was_made_up_makes_the_portal_fail(
    route: Route, body: str, base64: bool, task: str
) -> None:
    path = path_of(route).replace("/tasks/0", f"/tasks/{task}")
    assert status_of(event_of(route, path, body) | {"isBase64Encoded": base64}) < 500


@given(route=st.sampled_from(ROUTES), query=QUERIES, claims=CLAIMS)
def test_no_query_and_no_token_makes_the_portal_fail(
    route: Route, query: str, claims: dict[str, str]
) -> None:
    event = event_of(route, path_of(route), "{}", **claims)
    assert status_of(event | {"rawQueryString": query}) < 500


@given(
    route=st.sampled_from([route for route in ROUTES if "<" in route.path]),
    parts=st.lists(PARTS, min_size=2, max_size=2),
    body=st.sampled_from(["", "{}", '{"label": "cat"}', '{"images": [1]}']),
)
def test_no_path_makes_the_portal_fail(route: Route, parts: list[str], body: str) -> None:
    path = "/".join(
        parts.pop() if piece.startswith("<") and parts else piece for piece in route.path.split("/")
    )
    assert status_of(event_of(route, path, body)) < 500


def test_these_requests_reach_the_views() -> None:
    """Requests that make sense are answered, so those that make none are not refused early."""
    bodies = {"claims": "{}", "addresses": '{"images": [1]}', "<index>": '{"label": "cat"}'}
    statuses = {
        f"{route.method} {route.path}": status_of(
            event_of(route, path_of(route), bodies.get(route.path.rpartition("/")[2], "{}"))
        )
        for route in ROUTES
    }
    assert set(statuses.values()) <= {200, 204, 400, 404, 409}
    assert sum(status in {200, 204} for status in statuses.values()) > len(ROUTES) / 2, statuses
