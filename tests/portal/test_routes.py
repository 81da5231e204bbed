"""The HTTP door, called as API Gateway calls it."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest

from tessera.portal import job_lifecycle, leases, task_page
from tessera.portal.http import groups_in, read_request
from tessera.portal.site import REQUESTS_PER_MINUTE, Site
from tests.portal.world import World, answer_of, http_event

UI = Path(__file__).parent.parent.parent / "ui" / "portal"
SIGNED_IN = [
    ("GET", "/me"),
    ("GET", "/jobs"),
    ("GET", "/jobs/pets-1-r1-000"),
    ("GET", "/jobs/pets-1-r1-000/tasks/0"),
    ("POST", "/jobs/pets-1-r1-000/claims"),
    ("PUT", "/jobs/pets-1-r1-000/tasks/0/answer"),
    ("PUT", "/jobs/pets-1-r1-000/tasks/0/lease"),
    ("DELETE", "/jobs/pets-1-r1-000/tasks/0/lease"),
]


def test_a_worker_finds_a_job_answers_a_page_and_gets_the_next(world: World) -> None:
    job = world.open(tasks=3)
    status, listed = world.ask("GET", "/jobs")
    assert status == 200
    assert listed["jobs"][0]["left"] == 6
    status, first = world.ask("POST", f"/jobs/{job.name}/claims")
    assert status == 200
    assert first["seconds"] == 1800
    task = first["task"]
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body=answer_of(job, int(task))) == (
        200,
        {"outcome": "saved", "message": "Saved."},
    )
    status, second = world.ask("POST", f"/jobs/{job.name}/claims", body={})
    assert status == 200
    assert second["task"] != task
    status, ahead = world.ask(
        "POST", f"/jobs/{job.name}/claims", body={"showing": [second["task"]]}
    )
    assert ahead["task"] not in {task, second["task"]}


def test_a_lease_is_renewed_and_skipped_by_its_address(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(600)
    path = f"/jobs/{job.name}/tasks/0/lease"
    assert world.ask("PUT", path) == (200, {"lease": "2023-11-14T22:53:20Z", "seconds": 1800})
    assert world.ask("DELETE", path)[0] == 200
    assert world.ask("PUT", path)[0] == 404
    assert world.take(job, "ben") == 0


def test_no_page_for_this_worker_now_is_204(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ben")
    assert world.ask("POST", f"/jobs/{job.name}/claims")[0] == 204


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_every_route_without_a_checked_token_answers_401(
    world: World, method: str, path: str
) -> None:
    world.open(tasks=3)
    assert world.ask(method, path, worker="")[0] == 401


@pytest.mark.parametrize("path", ["/Jobs", "/jobs/../jobs", "/%6Aobs", "//jobs", "/jobs/a b", "/x"])
def test_a_path_that_the_authorizer_would_not_match_opens_nothing(world: World, path: str) -> None:
    world.open(tasks=3)
    assert world.ask("GET", path, worker="")[0] in {401, 404}


@pytest.mark.parametrize("name", ["frame.html", "..", "index.liquid.html", "page.js", "x" * 30])
def test_no_other_file_is_an_asset(world: World, name: str) -> None:
    assert world.ask("GET", f"/assets/{name}", worker="")[0] == 404


def test_another_workers_task_is_not_found(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}"
    assert world.ask("PUT", f"{path}/answer", "ben", answer_of(job, task))[0] == 404
    assert world.ask("PUT", f"{path}/lease", "ben")[0] == 404
    assert world.ask("GET", path, "ben")[0] == 404
    assert world.stored(job) == {}


def test_a_workers_view_names_no_other_worker(world: World) -> None:
    job = world.open(tasks=3)
    world.work(job, "ben")
    for method, path in [("GET", "/jobs"), ("GET", "/me"), ("POST", f"/jobs/{job.name}/claims")]:
        assert "ben" not in json.dumps(world.ask(method, path, "ann")[1])
    assert world.ask("GET", "/jobs", "ann")[1]["jobs"][0]["mine"]["answers"] == 0


def test_a_job_of_a_team_is_seen_by_the_team_alone(world: World) -> None:
    job = world.open(tasks=3, team="cats")
    assert world.ask("GET", "/jobs", "ann")[1] == {"jobs": []}
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 404
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann", groups="[dogs cats-2]")[0] == 404
    assert len(world.ask("GET", "/jobs", "ben", groups="[dogs cats]")[1]["jobs"]) == 1
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ben", groups="[dogs cats]")[0] == 200


def test_a_requester_sees_progress_and_any_task_and_a_worker_does_not(world: World) -> None:
    job = world.open(tasks=4)
    world.ask("POST", f"/jobs/{job.name}/claims", "ann")
    for worker, label in (("ann", "cat"), ("ben", "dog")):
        for _ in range(2):
            world.clock.wait(10)
            world.answer(job, worker, world.take(job, worker), label)
    assert world.ask("GET", f"/jobs/{job.name}", "ann")[0] == 404
    status, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert status == 200
    assert (seen["answers"], seen["needed"], seen["left"]) == (4, 8, 4)
    assert seen["agreement"] == 0.0
    assert seen["hours_left"] > 0
    assert [w["worker"] for w in seen["workers"]] == ["ann", "ben"]
    task = next(task for task, worker in world.stored(job) if worker == "ben")
    status, page = world.ask("GET", f"/jobs/{job.name}/tasks/{task}", "rita", groups="[requesters]")
    assert status == 200
    assert "pictures.test" in page["page"]
    assert [a["summary"] for a in page["answers"]] == ["2 cat", "2 dog"]
    assert world.claim(job, "rita") is not None  # looking took no seat


def test_a_removed_worker_is_out_at_once_and_his_pages_go_to_others(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    kept = world.take(job, "ann")
    world.answer(job, "ann", kept)
    held = world.take(job, "ann")
    assert leases.block_worker(world.ports, "ann") == 1
    path = f"/jobs/{job.name}"
    assert world.ask("PUT", f"{path}/tasks/{held}/answer", "ann", answer_of(job, held))[0] == 404
    assert world.ask("POST", f"{path}/claims", "ann")[0] == 404
    assert world.ask("GET", "/jobs", "ann")[0] == 404
    assert world.take(job, "ben") == held
    assert list(world.stored(job)) == [(kept, "ann")]


def test_more_requests_than_a_person_makes_are_429_until_the_minute_is_over(world: World) -> None:
    assert {world.ask("GET", "/me")[0] for _ in range(REQUESTS_PER_MINUTE)} == {200}
    assert world.ask("GET", "/me")[0] == 429
    assert world.ask("GET", "/me", "ben")[0] == 200
    world.clock.wait(60)
    assert world.ask("GET", "/me")[0] == 200


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


@pytest.mark.parametrize("body", ["{", "[]", '{"showing": "12"}', '{"showing": ["x"]}'])
def test_a_claim_that_makes_no_sense_is_400(world: World, body: str) -> None:
    job = world.open(tasks=1)
    assert world.ask("POST", f"/jobs/{job.name}/claims", body=body)[0] == 400


@pytest.mark.parametrize("task", ["3", "999999999", "0000000003"])
def test_a_task_that_the_job_does_not_have_is_404(world: World, task: str) -> None:
    job = world.open(tasks=3)
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body=answer_of(job, 0))[0] == 404


# ── What the browser is told ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["/", "/frame", "/assets/portal.js", "/assets/portal.css", "/me", "/nothing"]
)
def test_every_response_carries_the_security_headers(world: World, path: str) -> None:
    world.ask("GET", path)
    assert world.headers["x-content-type-options"] == "nosniff"
    assert world.headers["referrer-policy"] == "no-referrer"
    assert "max-age" in world.headers["strict-transport-security"]
    assert "default-src 'none'" in world.headers["content-security-policy"]
    assert world.headers["cache-control"] in {"no-store", "no-cache"}


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


# ── The worker's page ────────────────────────────────────────────────────────────────────────────

INPUT = {"images": [{"source-ref": "s3://pets/1.jpg", "index": 1}]}
CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'


def rendered(page: str, *, aws: bool) -> task_page.Page:
    return task_page.render(page, INPUT, str, stand_in="STAND_IN;", bridge="BRIDGE;", aws=aws)


def test_a_page_gets_the_stand_in_for_amazons_script_and_the_bridge(world: World) -> None:
    job = world.open(tasks=1)
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert "assets.crowd.aws" not in page
    assert 'customElements.define("crowd-form"' in page
    assert page.index("tessera") < page.index("<crowd-form>")  # the bridge comes first


@pytest.mark.parametrize("aws", [True, False])
def test_a_page_of_crowd_form_alone_never_loads_amazons_script(aws: bool) -> None:
    page = rendered(f"<!doctype html><crowd-form></crowd-form>{CROWD}", aws=aws)
    bridge, stand_in = "<script>BRIDGE;</script>", "<script>STAND_IN;</script>"
    assert page == (f"<!doctype html>{bridge}<crowd-form></crowd-form>{stand_in}", False)


def test_a_page_of_other_crowd_elements_loads_amazons_script_where_it_is_allowed() -> None:
    text = f"{CROWD}<crowd-form><crowd-bounding-box></crowd-bounding-box></crowd-form>"
    assert rendered(text, aws=True) == (f"<script>BRIDGE;</script>{text}", True)
    assert rendered(text, aws=False).crowd is False


def test_the_frames_policy_lets_amazons_script_in_only_where_it_is_allowed(world: World) -> None:
    event = http_event("GET", "/frame") | {"rawQueryString": "crowd=aws"}
    for allowed in (True, False):
        site = Site(world.site.ui, "https://c.test", "c", "r", allowed)
        policy = world.respond(event, site)["headers"]["content-security-policy"]
        assert ("https://assets.crowd.aws" in policy) == allowed


def test_a_script_cannot_be_ended_by_its_own_text() -> None:
    page = task_page.render("<p>", INPUT, str, stand_in='"</script>"', bridge="", aws=False)
    assert page.html == r'<script>"<\/script>"</script><p>'


def test_signed_addresses_end_with_the_lease(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.ask("POST", f"/jobs/{job.name}/claims")
    world.clock.wait(600)
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert re.findall(r"seconds=(\d+)", page) == ["1200", "1200"]


def test_the_groups_of_a_token_are_read_as_either_gateway_writes_them() -> None:
    assert groups_in("[a b]") == groups_in(["a", "b"]) == groups_in("a, b") == ["a", "b"]
    assert groups_in("") == []


def test_a_page_says_nothing_of_its_control_images(world: World) -> None:
    pages_seen = []
    for gold in (b"", b"index,label\n0,cat\n1,dog\n"):
        fresh = World()
        request = fresh.request(tasks=2)
        if gold:
            fresh.files.put("s3://labels/runs/pets-1/round-1/gold.csv", gold)
        job = job_lifecycle.open_job(fresh.ports, request)
        pages_seen.append(fresh.ask("POST", f"/jobs/{job.name}/claims"))
    assert pages_seen[0] == pages_seen[1]


def test_a_request_from_another_site_is_told_nothing_by_cors(world: World) -> None:
    for path in ("/", "/frame", "/jobs", "/me"):
        world.ask("GET", path)
        assert not [name for name in world.headers if name.startswith("access-control")]
    assert world.ask("OPTIONS", "/jobs")[0] == 404


def test_a_message_from_elsewhere_is_no_answer() -> None:
    script = (UI / "portal.js").read_text()
    heard = script[script.index('addEventListener("message"') :]
    assert "each.contentWindow === event.source" in heard
    assert 'kind === "answer" && page === work?.current' in heard


def test_a_request_that_fails_logs_neither_token_nor_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import serve_portal
    from tessera.aws.telemetry import logger

    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    monkeypatch.setenv("USER_POOL_CLIENT_ID", "client")
    monkeypatch.setattr(serve_portal, "connection", lambda: 1 / 0)
    event = http_event("PUT", "/jobs/pets/tasks/1/answer", sub="ann", email="SECRET@example.org")
    event |= {
        "headers": {"authorization": "Bearer SECRET-TOKEN"},
        "body": '{"1": "SECRET-ANSWER"}',
    }
    response = serve_portal.handler(event, Context())
    assert response["statusCode"] == 503
    assert "request failed" in log.getvalue()
    assert "SECRET" not in log.getvalue() + json.dumps(response)


class Context:
    """What Lambda tells a function of itself."""

    function_name = "serve-portal"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:serve-portal"
    aws_request_id = "0"


THREATS = (UI.parent.parent / "docs" / "threat-model.md").read_text()


def test_every_line_of_the_threat_model_has_a_test_that_exists() -> None:
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    rows = [row for row in THREATS.splitlines() if row.startswith("| ") and "| test |" not in row]
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"`(test_\w+|Test\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert [name for name in named if name not in tests] == []
