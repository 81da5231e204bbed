"""Whatever lies between a page and the portal: what the page calls saved is, and all is saved.

Proxies, hotels' networks, portals in trouble, laptops that slept, browsers without storage.
"""

from __future__ import annotations

import json
import random

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tessera.portal import job_lifecycle
from tessera.portal.http import SAFE_HEADERS
from tessera.portal.records import Job
from tests.browse import browse
from tests.portal.desk import (
    FRONT,
    LABELS,
    PORTAL,
    SIGNED_IN,
    Desk,
    first_id,
    front,
    ready,
    task_in,
)
from tests.portal.in_browser import Network, sign_in
from tests.portal.world import World, http_event

pytestmark = pytest.mark.browser

IMAGES = 3
TROUBLE = {"message": "Internal Server Error"}


def label_page(page: Page, label: int = 0) -> int:
    """Label the page in front, hand it in, and return its task."""
    ready(page)
    task = task_in(first_id(page))
    page.keyboard.type(str(label + 1) * IMAGES)
    expect(front(page).locator("#progress b")).to_have_text(str(IMAGES))
    page.keyboard.press("Enter")
    return task


def refuse(route: Route) -> None:
    """Answer as an API whose function fails."""
    route.fulfill(status=500, json=TROUBLE)


def forget_the_job(route: Route) -> None:
    """Answer as the portal does while a job is being rebuilt."""
    content = {"error": "UnknownJob", "message": "There is no such job."}
    route.fulfill(status=404, json=content, headers={"tessera": "portal"})


# ---- Something else answers in the portal's place ----

STATUSES = (200, 201, 202, 204, 203, 206, 302, 304, 400, 403, 404, 407, 409, 413, 418, 451, 511)
BODIES = (
    "", "null", "{}", "[]", "1", '"ok"', "true", "<html>Sign in to the guests' network</html>", "{",
    '{"login": "https://hotel.test"}', '{"outcome": "saved"}', '{"error": "not_found"}',
    '{"error": {"code": 1}}', '{"message": {"text": "no"}}', '{"error": "Removed"}',
    '{"error": "UnknownJob", "message": "no"}', '{"tasks": null, "page": null}',
)  # fmt: skip


NOTES_SAVED = """() => {
  const note = document.querySelector("#note");
  window.saved = 0;
  new MutationObserver(() => { if (note.textContent === "Saved") window.saved += 1; })
    .observe(note, { childList: true });
}"""


@pytest.mark.parametrize("seed", range(4))
def test_whatever_answers_in_the_portals_place_no_answer_is_lost_or_called_saved(
    desk: Desk, seed: int
) -> None:
    chance = random.Random(seed)
    job = desk.open_job(tasks=6, images=IMAGES)
    left: dict[str, int] = {}

    def answer_instead(route: Route) -> None:
        kind = route.request.url.rpartition("/")[2]
        if not left.get(kind):
            return route.fallback()
        left[kind] -= 1
        status, body = chance.choice(STATUSES), chance.choice(BODIES)
        return route.fulfill(status=status, body=body, content_type="application/json")

    desk.context.route(f"{PORTAL}jobs/**", answer_instead)
    page = desk.sit_down(job)
    page.evaluate(NOTES_SAVED)
    meant: dict[tuple[int, str], list[str]] = {}
    for _ in range(job.tasks):
        label = chance.randrange(len(LABELS))
        left |= {"answer": chance.randint(1, 2), "claims": chance.randrange(2), "lease": 1}
        task = label_page(page, label)
        meant[task, "ann"] = [LABELS[label]] * IMAGES
        page.wait_for_function("pages => window.saved === pages", arg=len(meant))
        assert left["answer"] == 0  # "Saved" came from the portal
        assert desk.chosen(job) == meant
    expect(page.locator("#between")).to_contain_text("This job is done")
    assert page.evaluate("window.saved") == job.tasks
    expect(page.locator("#note")).not_to_contain_text("Trying again")


def test_a_portal_that_is_older_than_its_pages_files_saves_answers(desk: Desk) -> None:
    def be_older(route: Route) -> None:
        response = desk.world.respond(http_event("GET", "/"))
        mark = f'data-mark="{SAFE_HEADERS["tessera"]}"'
        assert mark in response["body"]
        body = response["body"].replace(mark, 'data-mark=""')
        route.fulfill(body=body, content_type="text/html")

    job = desk.open_job(tasks=2, images=IMAGES)
    desk.context.route(PORTAL, be_older)
    desk.marks = False
    page = desk.sit_down(job)
    for done in range(job.tasks):
        label_page(page)
        expect(page.locator("#note")).to_have_text("Saved")
        assert len(desk.chosen(job)) == done + 1


# ---- The portal cannot take an answer now ----


def open_birds(desk: Desk) -> Job:
    """Open another job, whose tasks have the same numbers."""
    home = "s3://labels/runs/birds-1"
    request = desk.world.request(2, 1, "birds-1-r1-000", home, **{"tessera:project": "birds"})
    pets = desk.world.files.get("s3://labels/runs/pets-1/page.liquid.html")
    desk.world.files.put(f"{home}/page.liquid.html", pets)
    line = json.dumps([{"source-ref": f"s3://pets/{at}.jpg", "index": at} for at in range(IMAGES)])
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    desk.world.files.put(manifest, f"{json.dumps({'source': line})}\n".encode() * 2)
    return job_lifecycle.open_job(desk.world.ports, request)


def test_an_answer_that_is_not_taken_holds_up_no_other_and_comes_in_when_it_can(
    desk: Desk,
) -> None:
    pets = desk.open_job(tasks=2, images=IMAGES)
    birds = open_birds(desk)
    desk.context.clock.install()
    page = desk.sit_down(pets)
    in_trouble = f"{PORTAL}jobs/{pets.name}/tasks/*/answer"
    desk.context.route(in_trouble, refuse)
    task = label_page(page)
    expect(page.locator("#note")).to_contain_text("Internal Server Error")
    page.evaluate(f"location.hash = '#job/{birds.name}'")
    others = {label_page(page, label=1)}
    expect(page.locator("#note")).to_have_text("Saved")
    ready(page)
    others.add(task_in(first_id(page)))
    assert task in others  # pages of two jobs that have one number
    desk.context.unroute(in_trouble)
    page.clock.fast_forward(31_000)
    expect(page.locator("#note")).to_have_text("Saved")
    assert desk.chosen(pets) == {(task, "ann"): ["cat"] * IMAGES}
    label_page(page, label=1)  # the page in front is still there
    expect(page.locator("#between")).to_contain_text("This job is done")
    assert desk.chosen(birds) == {(at, "ann"): ["dog"] * IMAGES for at in range(2)}


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_a_job_that_is_not_known_for_a_while_is_not_called_done_and_gets_its_answers(
    desk: Desk, is_reloaded: bool
) -> None:
    job = desk.open_job(tasks=2, images=IMAGES)
    desk.context.clock.install()
    page = desk.sit_down(job)
    # Both pages are here before the portal forgets the job.
    expect(page.locator("#frames iframe")).to_have_count(2)
    of_job = f"{PORTAL}jobs/{job.name}/**"
    desk.context.route(of_job, forget_the_job)
    tasks = [label_page(page)]
    expect(page.locator("#note")).to_contain_text("There is no such job")
    tasks.append(label_page(page))
    card = page.locator("#between")
    expect(card).to_contain_text("The portal does not know this job now")
    assert "saved" not in card.inner_text()
    assert desk.chosen(job) == {}
    desk.context.unroute(of_job)
    if is_reloaded:
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
    else:
        page.clock.fast_forward(31_000)
    expect(card).to_contain_text("Every answer that was saved is kept")
    assert desk.chosen(job) == {(task, "ann"): ["cat"] * IMAGES for task in tasks}


def test_at_the_end_of_a_job_the_page_does_not_thank_for_what_still_waits(desk: Desk) -> None:
    job = desk.open_job(tasks=1, images=IMAGES)
    desk.context.clock.install()
    page = desk.sit_down(job)
    desk.context.route(f"{PORTAL}**/answer", refuse)
    desk.context.route(
        f"{PORTAL}**/claims",
        lambda route: route.fulfill(
            status=409,
            json={"error": "Closed", "message": "This job takes no more answers."},
            headers={"tessera": "portal"},
        ),
    )
    label_page(page)
    card = page.locator("#between")
    expect(card).to_contain_text("Answers of yours wait here")
    desk.context.unroute(f"{PORTAL}**/answer")
    page.clock.fast_forward(31_000)
    expect(card).to_contain_text("Every answer that was saved is kept")
    assert len(desk.chosen(job)) == 1


# ---- The job, or a page of it, goes on without the worker ----


def test_after_a_sleep_no_page_is_labeled_that_went_to_somebody_else(desk: Desk) -> None:
    job = desk.open_job(tasks=6, images=IMAGES)
    desk.context.clock.install()
    page = desk.sit_down(job)
    expect(page.locator("#frames iframe")).to_have_count(2)
    page.keyboard.type("11")
    page.clock.fast_forward("02:00:00")
    desk.world.clock.wait(7200)
    theirs = {desk.world.take(job, "ben") for _ in range(4)}
    mine = label_page(page)
    ready(page)
    expect(page.locator("#note")).not_to_have_text("Saving…")
    assert task_in(first_id(page)) not in theirs - {mine}
    stored = {worker for task, worker in desk.chosen(job)}
    words = page.locator("#note").inner_text()
    assert ("Saved" in words) == ("ann" in stored)


def test_a_worker_hears_that_a_job_has_ended_and_gets_no_page_of_it(desk: Desk) -> None:
    job = desk.open_job(tasks=3, images=IMAGES)
    page = desk.sit_down(job)
    expect(page.locator("#frames iframe")).to_have_count(2)
    job_lifecycle.stop(desk.world.ports, job.name)
    label_page(page)
    expect(page.locator("#between")).to_contain_text("This job is done")
    assert page.locator(FRONT).count() == 0
    expect(page.locator("#note")).to_contain_text("ended before your answer came")
    assert desk.chosen(job) == {}


# ---- The browser keeps nothing, or somebody leaves at the wrong moment ----

DENIED = "() => { throw new DOMException('denied', 'SecurityError'); }"
WITHOUT: dict[str, str] = {
    "room": """Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
    };""",
    "storage": f"""for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, {{ get: {DENIED} }});""",
    "locks": """LockManager.prototype.request = LockManager.prototype.query =
        () => Promise.reject(new DOMException("denied", "SecurityError"));""",
}


@pytest.mark.parametrize("missing", [*WITHOUT, "all"])
def test_a_browser_without_storage_gets_its_pages_and_saves_them(
    world: World, missing: str
) -> None:
    job = world.open(tasks=3, workers=1)
    network = Network(world)
    scripts = WITHOUT.values() if missing == "all" else [WITHOUT[missing]]

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        page.add_init_script(";\n".join(scripts))
        page.reload()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        sign_in(page, "ann@example.org")
        page.locator(f"button[href='#job/{job.name}']").click()
        for done in range(3):
            frame = page.frame_locator(FRONT)
            cats = frame.locator("input[value=cat]")
            expect(cats).to_have_count(2)
            for cat in cats.all():
                cat.check()
            frame.locator("crowd-button").click()
            expect(page.locator("#note")).to_have_text("Saved")
            assert len(world.stored(job)) == done + 1
            if done < 2:
                expect(frame.locator("input:checked")).to_have_count(0)
        expect(page.locator("#between")).to_contain_text("This job is done")
        assert faults == []

    browse(scenario)


LEAVES = """
const request = LockManager.prototype.request;
LockManager.prototype.request = async function (...how) {
  if (window === top && window.leaves) {
    window.leaves = false;
    const left = new Promise(done => addEventListener("hashchange", done, { once: true }));
    location.hash = "#jobs";
    await left;
  }
  return request.apply(this, how);
};
"""


def test_who_leaves_while_a_page_comes_keeps_none_of_it_from_other_tabs(desk: Desk) -> None:
    job = desk.open_job(tasks=2, images=IMAGES)
    page = desk.context.new_page()
    page.add_init_script(LEAVES + SIGNED_IN.replace("WORKER", '"ann"'))
    page.goto(PORTAL)
    for _ in range(3):
        page.evaluate("window.leaves = true")
        page.locator("#jobs li button.main").click()
        page.wait_for_function("() => window.leaves === false && location.hash === '#jobs'")
        expect(page.locator("#jobs li button.main")).to_be_visible()
    page.wait_for_function("async () => !(await navigator.locks.query()).held.length")
    assert page.locator("#frames iframe").count() == 0
    ready(desk.sit_down(job))


def test_a_long_outage_leaves_nothing_behind_in_the_page(desk: Desk) -> None:
    job = desk.open_job(tasks=2, images=IMAGES)
    page = desk.context.new_page()
    page.add_init_script(
        """window.waiting = new Set();
        const add = EventTarget.prototype.addEventListener;
        window.addEventListener = function (kind, listener, how) {
          if (kind === "online") {
            waiting.add(listener);
            how?.signal?.addEventListener("abort", () => waiting.delete(listener));
          }
          return add.call(this, kind, listener, how);
        };"""
        + SIGNED_IN.replace("WORKER", '"ann"')
    )
    desk.context.clock.install()
    page.goto(f"{PORTAL}#job/{job.name}")
    ready(page)
    before = page.evaluate("waiting.size")
    desk.context.route(f"{PORTAL}**/answer", lambda route: route.abort())
    label_page(page)
    for _ in range(5):
        expect(page.locator("#note")).to_contain_text("Offline")
        page.clock.fast_forward(40_000)
    desk.context.unroute(f"{PORTAL}**/answer")
    page.clock.fast_forward(40_000)
    expect(page.locator("#note")).to_have_text("Saved")
    assert page.evaluate("waiting.size") <= before
