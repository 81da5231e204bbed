"""A desk: the portal in memory, in front of a worker with a real browser.

The browser's requests are answered in this process by the portal's own routes, so a test may cut
the network, refuse pictures or let the clock run at any moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, FrameLocator, Page, Route, expect

from tessera.portal import job_lifecycle
from tessera.portal.records import Job
from tessera.tiling.page.page import build_page
from tessera.tiling.settings import Settings
from tests.portal.world import HOME, World, http_event

UI = Path(__file__).parents[2] / "ui"
PORTAL = "https://portal.test/"
FRONT = "#frames iframe:not(.ahead)"
LABELS = ("cat", "dog")
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">'
    '<rect width="100%" height="100%" fill="#8ad"/></svg>'
)
SIGNED_IN = """
if (window === top && location.origin === "https://portal.test" && name !== "signed in once") {
  name = "signed in once"; // so that a tab that signed out stays out
  sessionStorage.session = JSON.stringify(
    { id: `${WORKER} ${Math.random()}`, worker: WORKER, client: "client", name: WORKER,
      until: Date.now() + 1e9 });
}
"""


@dataclass
class Desk:
    """A worker's browser, and the portal that it talks to."""

    context: BrowserContext
    world: World = field(default_factory=World)
    is_offline: bool = False
    refuses_pictures: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    loses: str = ""
    """End of the path whose next response never arrives, though the portal has acted on it."""
    marks: bool = True
    """Whether responses say that they are the portal's."""
    groups: str = "[]"
    """Groups of whoever signs in, as API Gateway writes them."""

    def __post_init__(self) -> None:
        """Stand between the browser and everything else."""
        self.context.set_default_timeout(10_000)
        files, clock = self.world.files, self.world.clock
        # An address ends, as S3's do.
        files.presign = lambda uri, seconds: (  # type: ignore[method-assign]  # of this one fake
            f"https://pictures.test/{uri.partition('://')[2]}?until={clock.now + seconds}"
        )
        self.context.route("**/*", lambda route: route.abort())
        self.context.route("https://pictures.test/**", self._send_picture)
        self.context.route(f"{PORTAL}**", self._respond)
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def open_job(
        self,
        tasks: int,
        images: int = 6,
        minutes: float = 30,
        prelabel: str = "",
        tags: Mapping[str, str] = {},
        **settings: Any,
    ) -> Job:
        """Open a job of so many pages of so many pictures; `tags` are more of its request's."""
        all_tags = {"tessera:project": "pets", **tags}
        request = self.world.request(tasks, 1, "pets-1-r1-000", HOME, **all_tags)
        request["HumanTaskConfig"]["TaskTimeLimitInSeconds"] = int(minutes * 60)
        settings.setdefault("instructions", "")
        run = Settings(labels=LABELS, question="Cat or dog?", **settings)
        template = (UI / "tiles.liquid.html").read_text("utf-8")
        lines = []
        for task in range(tasks):
            pictures = [
                {"source-ref": f"s3://pets/{index}.jpg", "index": index}
                | ({"prelabel": prelabel} if prelabel else {})
                for index in range(task * images, (task + 1) * images)
            ]
            lines.append(json.dumps({"source": json.dumps(pictures)}) + "\n")
        self.world.files.put(f"{HOME}/round-1/tasks-000.manifest", "".join(lines).encode())
        self.world.files.put(f"{HOME}/page.liquid.html", build_page(template, run).encode())
        return job_lifecycle.open_job(self.world.ports, request)

    def custom_request(self, template: str, line: bytes) -> dict[str, Any]:
        """Make the request of a custom task's job of one line, without functions."""
        request: dict[str, Any] = self.world.request(1, workers=1, **{"tessera:task": "custom"})
        human = request["HumanTaskConfig"]
        human.pop("PreHumanTaskLambdaArn")
        human.pop("AnnotationConsolidationConfig")
        request.pop("LabelCategoryConfigS3Uri")
        self.world.files.put(f"{HOME}/round-1/tasks-000.manifest", line + b"\n")
        self.world.files.put(f"{HOME}/page.liquid.html", template.encode())
        return request

    def sit_down(self, job: Job, worker: str = "ann", wait: bool = True) -> Page:
        """Open a tab in which the worker is signed in and has begun with the job."""
        page = self.context.new_page()
        page.add_init_script(SIGNED_IN.replace("WORKER", json.dumps(worker)))
        page.goto(f"{PORTAL}#job/{job.name}")
        if wait:
            ready(page)
        return page

    def go_offline(self, is_offline: bool = True) -> None:
        """Cut the network, or let it come back."""
        self.is_offline = is_offline
        self.context.set_offline(is_offline)

    def _send_picture(self, route: Route) -> None:
        until = float(route.request.url.partition("until=")[2])
        if self.is_offline or self.refuses_pictures:
            route.abort()
        elif until < self.world.clock.now:
            route.fulfill(status=403, body="Request has expired")
        else:
            route.fulfill(content_type="image/svg+xml", body=PICTURE)

    def _respond(self, route: Route) -> None:
        request, url = route.request, urlsplit(route.request.url)
        if self.is_offline:
            route.abort("internetdisconnected")
            return
        self.asked.append((request.method, url.path))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        worker, _, session = token.partition(" ")  # each sign-in is another session
        claims = {"sub": worker, "origin_jti": session, "email": f"{worker}@example.org"}
        claims["cognito:groups"] = self.groups
        event = http_event(request.method, url.path, **(claims if worker else {}))
        event |= {"rawQueryString": url.query, "body": request.post_data or ""}
        response = self.world.respond(event)
        if self.loses and url.path.endswith(self.loses):
            self.loses = ""
            route.abort("connectionreset")
            return
        route.fulfill(
            status=response["statusCode"],
            headers={
                name: str(value)
                for name, value in response["headers"].items()
                if self.marks or name != "tessera"
            },
            body=response.get("body", ""),
        )

    def chosen(self, job: Job) -> dict[tuple[int, str], list[str]]:
        """The labels of every stored answer's pictures, in their order, by task and worker."""
        return {
            key: [
                next(name for name, is_chosen in choices.items() if is_chosen)
                for image, choices in sorted(
                    (int(image), choices)
                    for image, choices in answer["answerContent"].items()
                    if image != "meta"
                )
            ]
            for key, answer in self.world.stored(job).items()
        }


def front(page: Page) -> FrameLocator:
    """The page of pictures in front of the worker."""
    return page.frame_locator(FRONT)


def ready(page: Page) -> None:
    """Wait until the page in front has its pictures and the keyboard."""
    frame = front(page)
    expect(frame.locator(".tile").first).to_be_visible()
    # The focus first: before its script has run, a page does not say that pictures wait.
    expect(frame.locator(".tile:focus")).to_have_count(1)
    # Those that failed without a network are tried again a moment after it is back.
    expect(frame.locator(".wait, .dead")).to_have_count(0)


def labels(page: Page) -> list[str]:
    """The label of every picture in front; empty where there is none."""
    return list(
        front(page)
        .locator(".tile")
        .evaluate_all("all => all.map(tile => tile.querySelector(':checked')?.value ?? '')")
    )


def expect_labels(page: Page, labels: list[str]) -> None:
    """Wait until the first pictures in front have these labels; empty where there is none.

    A draft comes after its page, by a message.
    """
    for number, label in enumerate(labels):
        checked = front(page).locator(".tile").nth(number).locator("input:checked")
        if label:
            expect(checked).to_have_value(label)
        else:
            expect(checked).to_have_count(0)


def first_id(page: Page) -> str:
    """What the first picture in front is called."""
    return str(front(page).locator(".tile").first.get_attribute("data-id"))


def asks_before_it_closes(page: Page) -> bool:
    """Tell whether a tab that is closed now would ask first.

    The page is asked itself: a browser that is busy closes a tab whose page does not answer
    within half a second.
    """
    closes = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    return not page.evaluate(f"() => {closes}")


def task_in(name: str) -> int:
    """The task that a picture's name on the page belongs to."""
    return int(name.partition("-")[0])
