"""The portal in a browser, as a worker and a requester meet it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tessera.aws.users import temporary_password
from tessera.simulation.workers import Account
from tessera.stack.local_stack import LocalStack
from tests.browse import browse as in_browser
from tests.browse import sign_out
from tests.portal.served import Served, answer_of

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.slow]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOWN = "#frames iframe:not(.ahead)"


@pytest.fixture(scope="module")
def served(stack: LocalStack) -> Served:
    served = Served(stack.cloud)
    served.draw_pictures()
    return served


def browse(scenario: Callable[[BrowserContext], None], **context: Any) -> None:
    """Run the scenario in a browser's context, of a laptop's size unless it says otherwise."""

    def run(browser: Browser) -> None:
        opened = browser.new_context(**{"viewport": {"width": 1366, "height": 768}} | context)
        opened.set_default_timeout(30_000)
        scenario(opened)

    in_browser(run)


def start(context: BrowserContext, served: Served) -> tuple[Page, list[str]]:
    """The portal's page, and what goes wrong in it."""
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    page.goto(served.cloud.portal_url)
    return page, faults


def sign_in(page: Page, account: Account) -> None:
    """Sign in by keyboard; the first field has it already."""
    expect(page.locator("#sign-in [name=name]")).to_be_focused()
    page.keyboard.type(account.email)
    page.keyboard.press("Tab")
    page.keyboard.type(account.password)
    page.keyboard.press("Enter")


def accessible(page: Page, *places: str) -> None:
    """No violation of WCAG 2.2 A and AA in the page."""
    audit = Axe().run(
        page,
        options={
            "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        },
    )
    assert audit.violations_count == 0, audit.generate_report()


def label_page(page: Page) -> None:
    """Give every picture of the page in front a label by its number key, and send it."""
    frame = page.frame_locator(SHOWN)
    expect(frame.locator("#progress b")).to_have_text("0")  # not the page that was just sent
    expect(frame.locator(".wait")).to_have_count(0)
    expect(frame.locator(".tile:focus")).to_be_visible()  # not in the moment of a new layout
    for number in range(20):
        page.keyboard.press("12"[number % 2])
    expect(frame.locator("#progress b")).to_have_text("20")
    page.keyboard.press("Enter")


def test_a_worker_signs_in_labels_three_tasks_by_keyboard_and_signs_out(served: Served) -> None:
    request = served.open("browser-keys", tasks=3, workers=1)
    password = temporary_password()
    users, pool = served.cloud.client("cognito-idp"), served.cloud.outputs["WorkerPoolId"]
    users.admin_create_user(
        UserPoolId=pool,
        Username="keys@example.org",
        TemporaryPassword=password,
        MessageAction="SUPPRESS",
    )

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        accessible(page)
        sign_in(page, Account("keys@example.org", "not-the-password"))
        expect(page.locator("#sign-in .error")).to_have_text(
            "This email and password do not go together."
        )
        accessible(page)
        page.locator("#sign-in [name=password]").fill(password)
        page.keyboard.press("Enter")
        expect(page.locator("#new-password [name=password]")).to_be_focused()
        accessible(page)
        page.keyboard.type("My-own-words-1")
        page.keyboard.press("Tab")
        page.keyboard.type("My-own-words-1")
        page.keyboard.press("Enter")
        go = page.locator("button[href='#job/browser-keys']")
        expect(go).to_be_visible()
        accessible(page)
        go.focus()
        page.keyboard.press("Enter")
        label_page(page)
        expect(page.locator("#note")).to_have_text("Saved")
        accessible(page)
        page.reload()  # the session and the seat survive
        for _ in range(2):
            label_page(page)
        expect(page.locator("#between h2")).to_have_text("This job is done")
        accessible(page)
        page.keyboard.press("Enter")
        expect(page.locator("#jobs h1")).to_be_visible()
        expect(go).to_have_count(0)
        page.locator("#leave").focus()
        sign_out(page, lambda: page.keyboard.press("Enter"))
        expect(page.locator("#sign-in [name=name]")).to_be_focused()
        assert faults == []

    browse(scenario)
    stored = served.answers(request)
    assert {task for task, _ in stored} == {0, 1, 2}
    answer = next(iter(stored.values()))["answerContent"]
    assert answer.pop("meta").startswith("{")
    assert [values["cat"] for values in answer.values()] == [True, False] * 10


def test_an_answer_given_offline_waits_and_is_sent_and_the_next_page_is_there_at_once(
    served: Served,
) -> None:
    request = served.open("browser-offline", tasks=4, workers=1)
    account = served.account("offline")

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-offline']").click()
        expect(page.frame_locator(SHOWN).locator(".tile:focus")).to_have_count(1)
        ahead = page.frame_locator("#frames iframe.ahead")
        expect(ahead.locator(".tile")).to_have_count(20)
        expect(ahead.locator(".wait")).to_have_count(0)  # its pictures are loaded as well
        context.set_offline(True)
        label_page(page)
        expect(page.frame_locator(SHOWN).locator("#progress b")).to_have_text("0")
        expect(page.locator("#note")).to_contain_text("Offline")
        assert served.answers(request) == {}
        label_page(page)
        context.set_offline(False)
        expect(page.locator("#note")).to_have_text("Saved")
        label_page(page)
        label_page(page)
        expect(page.locator("#between h2")).to_have_text("This job is done")
        assert faults == []

    browse(scenario)
    assert {task for task, _ in served.answers(request)} == {0, 1, 2, 3}


def test_a_sign_in_that_is_over_is_renewed_without_losing_the_page(served: Served) -> None:
    request = served.open("browser-over", tasks=1, workers=1)
    account = served.account("over")

    def scenario(context: BrowserContext) -> None:
        page, _ = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-over']").click()
        frame = page.frame_locator(SHOWN)
        expect(frame.locator(".tile:focus")).to_have_count(1)
        refuse = "**/jobs/browser-over/tasks/*/answer"
        page.route(refuse, lambda route: route.fulfill(status=401, body="{}"), times=1)
        page.route(
            served.cloud.cognito_url.rstrip("/") + "/",
            lambda route: route.fulfill(
                status=400, json={"__type": "NotAuthorizedException", "message": "over"}
            ),
            times=1,
        )
        label_page(page)
        expect(page.locator("#again")).to_be_visible()
        accessible(page)
        expect(page.locator("#again [name=password]")).to_be_focused()
        page.keyboard.type(account.password)
        page.keyboard.press("Enter")
        expect(page.locator("#note")).to_have_text("Saved")

    browse(scenario)
    assert len(served.answers(request)) == 1


def test_a_skipped_page_goes_and_the_next_comes(served: Served) -> None:
    served.open("browser-skip", tasks=2, workers=1)
    account = served.account("skip")

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-skip']").click()
        first = page.frame_locator(SHOWN).locator(".tile").first
        expect(page.frame_locator(SHOWN).locator(".tile:focus")).to_have_count(1)
        before = first.get_attribute("data-id")
        page.locator("#skip").click()
        expect(first).not_to_have_attribute("data-id", before or "")
        assert faults == []

    browse(scenario)


def test_a_requester_sees_progress_and_a_page_to_look_at(served: Served) -> None:
    request = served.open("browser-progress", tasks=2, workers=1)
    worker = served.worker("progress-worker")
    _, claim = worker.ask("POST", "jobs/browser-progress/claims")
    task = int(claim["task"])
    worker.ask("PUT", f"jobs/browser-progress/tasks/{task}/answer", answer_of(task, 2))
    account = served.account("rita", "requesters")

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        sign_in(page, account)
        page.locator("li", has=page.locator("button[href='#job/browser-progress']")).get_by_role(
            "button", name="Progress"
        ).click()
        expect(page.locator("#share b")).to_have_text("50 %")
        expect(page.locator("#progress tbody td").first).to_have_text("progress-worker@example.org")
        page.locator("#look [name=task]").fill(str(task))
        page.keyboard.press("Enter")
        expect(page.locator("#seen li")).to_contain_text("20 cat")
        expect(page.frame_locator("#seen iframe").locator(".tile")).to_have_count(20)
        accessible(page)
        assert faults == []

    browse(scenario)
    assert len(served.answers(request)) == 1


SPY = """<!doctype html><html lang="en"><title>Spy</title>
<main><h1>Spy</h1><p id="found"></p></main>
<script>
const tries = {
  parent: () => parent.document.body,
  storage: () => sessionStorage.length,
  local: () => localStorage.length,
  cookie: () => document.cookie,
  top: () => top.location.href,
  go: () => { top.location = "https://example.org/"; return "went"; },
  open: () => open("https://example.org/").location.href,
};
const leaks = Object.entries(tries).map(([name, get]) => {
  try { return name + ": " + get(); } catch { return ""; }
});
fetch("jobs").then(() => "fetched", () => "").then(got => {
  document.getElementById("found").textContent = "found " + [...leaks, got].filter(Boolean).join();
});
</script></html>"""


def test_a_requesters_page_cannot_reach_the_token_or_the_portal(served: Served) -> None:
    request = served.request("browser-spy", tasks=1, workers=1)
    template = request["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"]
    served.cloud.storage.put(template, SPY.encode())
    served.call("OpenJobFunction", {"request": request})
    account = served.account("spied")

    def scenario(context: BrowserContext) -> None:
        page, _ = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-spy']").click()
        expect(page.frame_locator(SHOWN).locator("#found")).to_have_text("found ")
        assert page.url.startswith(served.cloud.portal_url)
        assert len(context.pages) == 1

    browse(scenario)


BOX = """<!doctype html><html lang="en"><head><title>Boxes</title>
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script></head>
<main><h1>Boxes</h1>
<crowd-form><crowd-bounding-box></crowd-bounding-box><button>Send</button></crowd-form></main></html>"""
AMAZONS = """
customElements.define("crowd-form", class extends HTMLElement {
  _serializeForm() {
    return { taskAnswers: JSON.stringify([{ 0: { cat: true, dog: false }, meta: "boxes" }]) };
  }
  _submitHelperForm() { document.body.textContent = "sent elsewhere"; }
  connectedCallback() { this.addEventListener("click", () => this._submitHelperForm()); }
});
addEventListener("load", () => document.dispatchEvent(new Event("all-crowd-elements-ready")));
"""  # what public pages show of that script: how it serializes, how it sends, and when it is ready


def test_a_page_of_other_crowd_elements_loads_amazons_script_and_its_answer_arrives(
    served: Served,
) -> None:
    request = served.request("browser-boxes", tasks=1, workers=1, images=1)
    template = request["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"]
    served.cloud.storage.put(template, BOX.encode())
    served.call("OpenJobFunction", {"request": request})
    served.configure("ServePortalFunction", CROWD_ELEMENTS="aws")
    account = served.account("boxes")

    def scenario(context: BrowserContext) -> None:
        context.route(
            "https://assets.crowd.aws/**",
            lambda route: route.fulfill(body=AMAZONS, content_type="text/javascript"),
        )
        page, faults = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-boxes']").click()
        page.frame_locator(SHOWN).get_by_text("Send").click()
        expect(page.locator("#note")).to_have_text("Saved")
        assert faults == []

    try:
        browse(scenario)
    finally:
        served.configure("ServePortalFunction", CROWD_ELEMENTS="")
    (answer,) = served.answers(request).values()
    assert answer["answerContent"]["meta"] == "boxes"


def test_it_works_on_a_phone(served: Served) -> None:
    request = served.open("browser-phone", tasks=1, workers=1)
    account = served.account("phone")

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        sign_in(page, account)
        page.locator("button[href='#job/browser-phone']").tap()
        frame = page.frame_locator(SHOWN)
        expect(frame.locator(".wait")).to_have_count(0)
        for number in range(20):
            frame.locator(".tile").nth(number).locator(".picture").tap()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        frame.locator("#submit").tap()
        expect(page.locator("#between h2")).to_have_text("This job is done")
        assert faults == []

    browse(scenario, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert len(served.answers(request)) == 1
