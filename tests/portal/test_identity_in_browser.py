"""Who is signed in, as people meet it: shared computers, second factors, sign-ins that are over."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tessera.portal import leases
from tests.browse import browse, sign_out
from tests.portal.in_browser import CODE, NO_STORAGE, Network, Refused, claims_of, sign_in, token
from tests.portal.world import World

pytestmark = [pytest.mark.browser]

ANN, BEN = "ann@example.org", "ben@example.org"
JOB = "pets-1-r1-000"
ANSWER = f"jobs/{JOB}/tasks/0/answer"


@pytest.fixture
def network(world: World) -> Network:
    """The browser's network, with a job of one page for one worker."""
    world.open(tasks=1, workers=1)
    return Network(world)


def answer(page: Page) -> None:
    """Take the job's page, and answer as its form does."""
    page.locator(f"button[href='#job/{JOB}']").click()
    frame = page.frame_locator("#frames iframe:not(.ahead)")
    # The form stands once the document is whole: before, some of its fields may not be there yet.
    expect(frame.locator("crowd-form > form")).to_be_attached()
    expect(page.locator("#frames iframe")).to_have_count(1)
    names = page.frames[-1].evaluate(
        "[...new Set([...document.querySelectorAll('input')].map(each => each.name))]"
    )
    content = {name: {"cat": True, "dog": False} for name in names} | {"meta": "{}"}
    page.frames[-1].evaluate(
        "answer => window.parent.postMessage({ tessera: 'answer', answer }, '*')", content
    )


def in_whose_name(network: Network, path: str = ANSWER) -> set[str]:
    return {worker for method, asked, worker in network.asked if asked == path and method == "PUT"}


def test_an_answer_that_was_not_sent_goes_out_under_the_person_who_gave_it_or_not_at_all(
    network: Network,
) -> None:
    job = network.world.again(network.world.open(tasks=1, workers=1))

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        network.refuse = lambda method, path: 401 if path.endswith("/answer") else 0
        network.cognito.ended = {claim for claim in all_refresh_tokens(page)}
        answer(page)
        expect(page.locator("#again")).to_be_visible()
        network.refuse = lambda method, path: 0
        network.asked.clear()
        sign_in(page, BEN, "#again")  # another person at the same computer
        expect(page.locator("#note")).to_contain_text("somebody else")
        assert in_whose_name(network) == set()
        assert network.world.stored(job) == {}
        sign_out(page)
        sign_in(page, ANN)
        expect(page.locator("#note")).to_have_text("Saved")
        assert in_whose_name(network) == {"ann"}
        sign_out(page)

    browse(scenario)
    assert set(network.world.stored(job)) == {(0, "ann")}


def all_refresh_tokens(page: Page) -> set[str]:
    """The refresh token of the tab's session, to be ended."""
    expect(page.locator("#jobs h1")).to_be_visible()
    session: dict[str, Any] = page.evaluate("JSON.parse(sessionStorage.getItem('session'))")
    return {session["refresh"]}


def test_a_sign_in_that_is_refused_for_good_is_not_asked_again_and_again(network: Network) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        expect(page.locator("#jobs li")).to_have_count(1)
        network.refuse = lambda method, path: 401
        network.asked.clear()
        page.evaluate("location.hash = '#nowhere'")  # the list is asked for again
        expect(page.locator("#again")).to_be_visible()
        assert len(network.asked) == 2  # with the token at hand, and with a renewed one
        sign_in(page, ANN, "#again")
        expect(page.locator("#note")).not_to_be_empty()
        assert len(network.asked) <= 4
        network.refuse = lambda method, path: 0
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)


def test_signing_out_without_a_network_ends_at_once_and_keeps_what_was_not_sent(
    network: Network,
) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        network.refuse = lambda method, path: 503 if path.endswith("/answer") else 0
        answer(page)
        expect(page.locator("#note")).not_to_be_empty()
        network.is_down = True
        page.context.set_offline(True)
        page.locator("#leave").click()
        expect(page.locator("#sign-in .error")).to_contain_text("1 answer could not be sent")
        expect(page.locator("#note")).to_be_empty()  # "Offline …" is of nobody who is signed in
        assert "session" not in page.evaluate("Object.keys(sessionStorage)")
        page.context.set_offline(False)
        network.is_down, network.refuse = False, lambda method, path: 0
        sign_in(page, ANN)
        expect(page.locator("#note")).to_have_text("Saved")

    browse(scenario)
    assert in_whose_name(network) == {"ann"}


def test_signing_out_ends_the_tokens_at_the_portal_and_at_cognito(network: Network) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        refresh = all_refresh_tokens(page)
        sign_out(page)
        expect(page.locator("#bar")).to_be_hidden()
        assert network.cognito.ended == refresh

    browse(scenario)
    assert ("DELETE", "session", "ann") in network.asked
    claims = {"origin_jti": "1", "auth_time": str(int(network.world.clock()))}
    assert network.world.ask("GET", "/me", "ann", **claims)[0] == 401


def test_a_worker_who_was_removed_is_told_so_and_not_thanked(network: Network) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        expect(page.locator("#jobs li")).to_have_count(1)
        leases.block_worker(network.world.ports, "ann")
        page.locator(f"button[href='#job/{JOB}']").click()
        expect(page.locator("#sign-in .error")).to_contain_text("Your account was removed")
        expect(page.locator("#bar")).to_be_hidden()
        assert "session" not in page.evaluate("Object.keys(sessionStorage)")

    browse(scenario)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_that_is_not_the_portals_loses_no_answer(network: Network, status: int) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        network.refuse = lambda method, path: status if path.endswith("/answer") else 0
        answer(page)
        expect(page.locator("#note")).to_have_text("no")
        network.refuse = lambda method, path: 0
        expect(page.locator("#note")).to_have_text("Saved")

    browse(scenario)


REFUSALS = {
    ("NotAuthorizedException", "Incorrect username or password."): "do not go together",
    ("NotAuthorizedException", "Password attempts exceeded"): "wait a quarter of an hour",
    ("LimitExceededException", "Attempt limit exceeded"): "wait a quarter of an hour",
    ("NotAuthorizedException", "User is disabled."): "This account is shut off",
    (
        "NotAuthorizedException",
        "Temporary password has expired and must be reset by an administrator.",
    ): "The password that you were given is too old",
    ("PasswordResetRequiredException", "Password reset required"): "Your password was reset",
}
"""Cognito's words for why it lets nobody in, and what the portal makes of them."""


def test_every_refusal_of_a_sign_in_has_its_own_words(network: Network) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        for refusal, words in REFUSALS.items():
            network.cognito.refusals = [Refused(*refusal)]
            sign_in(page, ANN)
            expect(page.locator("#sign-in .error")).to_contain_text(words)
        sign_in(page, ANN)
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)


def test_a_sign_in_that_comes_at_a_busy_moment_is_tried_again_and_then_told(
    network: Network,
) -> None:
    busy = Refused("TooManyRequestsException", "Rate exceeded")

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        page.clock.install()
        for refusals in ([busy] * 4, [busy] * 3):
            network.cognito.refusals = list(refusals)
            sign_in(page, ANN)
            while network.cognito.refusals:
                page.clock.run_for(500)
            if len(refusals) == 4:
                expect(page.locator("#sign-in .error")).to_contain_text("too much to do")
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)


def test_a_second_factor_is_asked_for_and_a_wrong_code_is_told(network: Network) -> None:
    network.cognito.challenges[ANN] = ["SOFTWARE_TOKEN_MFA"]

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        code = page.locator("#sign-in [name=code]")
        expect(code).to_be_focused()
        expect(page.locator("#sign-in [name=password]")).to_be_hidden()
        page.keyboard.type("000000")
        page.keyboard.press("Enter")
        expect(page.locator("#sign-in .error")).to_contain_text("This code does not fit")
        code.fill(CODE)
        page.keyboard.press("Enter")
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)


def test_a_pool_that_wants_a_second_factor_of_everybody_leads_through_setting_it_up(
    network: Network,
) -> None:
    network.cognito.challenges[ANN] = ["MFA_SETUP"]

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        expect(page.locator("#authenticator code")).to_have_text("ABCD EFGH")
        href = page.locator("#authenticator a").get_attribute("href")
        assert (
            href
            == f"otpauth://totp/Tessera:{ANN.replace('@', '%40')}?secret=ABCDEFGH&issuer=Tessera"
        )
        page.locator("#authenticator [name=code]").fill(CODE)
        page.keyboard.press("Enter")
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)
    verified = dict(network.cognito.calls)["VerifySoftwareToken"]
    assert verified == {"ClientId": "client", "Session": "associated", "UserCode": CODE}


def test_a_worker_may_add_a_second_factor_where_the_pool_lets_them(network: Network) -> None:
    network.with_site(mfa="OPTIONAL")

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, ANN)
        page.locator("#add-authenticator").click()
        page.locator("#authenticator [name=code]").fill(CODE)
        page.keyboard.press("Enter")
        expect(page.locator("#jobs h1")).to_be_visible()

    browse(scenario)
    preference = dict(network.cognito.calls)["SetUserMFAPreference"]
    assert preference["SoftwareTokenMfaSettings"] == {"Enabled": True, "PreferredMfa": True}
    assert claims_of(preference["AccessToken"])["token_use"] == "access"


def test_a_forgotten_password_is_replaced_by_mail_and_ends_older_sign_ins(network: Network) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        page.locator("#sign-in [name=name]").fill(ANN)
        page.locator("#forgotten").click()
        page.locator("#forgot button.main").click()
        page.locator("#forgot [name=code]").fill(CODE)
        page.locator("#forgot [name=password]").fill("Long-enough-1")
        page.locator("#forgot button.main").click()
        expect(page.locator("#jobs li")).to_have_count(1)

    browse(scenario)
    assert [call for call, _ in network.cognito.calls][:2] == [
        "ForgotPassword",
        "ConfirmForgotPassword",
    ]
    old = {"origin_jti": "old", "auth_time": str(int(network.world.clock()) - 1)}
    assert network.world.ask("GET", "/me", "ann", **old)[0] == 401


DOMAIN = "https://pets.auth.test"


def test_a_sign_in_that_needs_cookies_says_so_where_they_are_blocked(network: Network) -> None:
    network.with_site(provider="Pets-Inc", domain=DOMAIN, federated_client="federated")

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        page.add_init_script(NO_STORAGE["cookies are blocked"])
        page.reload()
        page.get_by_role("button", name="Sign in with Pets-Inc").click()
        expect(page.locator("#sign-in .error")).to_contain_text("needs cookies")

    browse(scenario)


def test_an_organizations_own_sign_in_comes_back_with_a_code_of_this_tab_alone(
    network: Network,
) -> None:
    network.with_site(provider="Pets-Inc", domain=DOMAIN, federated_client="federated")
    left: list[str] = []

    def scenario(browser: Browser) -> None:
        page = network.open(browser)

        def at_the_organization(route: Any) -> None:
            left.append(route.request.url)
            if "/oauth2/token" in route.request.url:
                tokens = network.cognito.tokens(ANN, "7")
                names = {"IdToken": "id_token", "AccessToken": "access_token"}
                answered = {new: tokens[old] for old, new in names.items()}
                route.fulfill(
                    headers={"access-control-allow-origin": "*"},
                    json=answered | {"refresh_token": tokens["RefreshToken"], "expires_in": 3600},
                )
            else:
                route.fulfill(content_type="text/html", body="who are you?")

        page.context.route(f"{DOMAIN}/**", at_the_organization)
        page.goto("https://portal.test/?code=stolen&state=made-up")
        expect(page.locator("#sign-in .error")).to_contain_text("did not succeed")
        assert not left  # a code that this tab did not ask for is not exchanged
        page.get_by_role("button", name="Sign in with Pets-Inc").click()
        expect(page.get_by_text("who are you?")).to_be_visible()
        query = dict(part.split("=") for part in left[0].partition("?")[2].split("&"))
        assert (query["identity_provider"], query["code_challenge_method"]) == ("Pets-Inc", "S256")
        page.goto(f"https://portal.test/?code=abc&state={query['state']}")
        expect(page.locator("#jobs li")).to_have_count(1)
        assert page.url == "https://portal.test/"
        page.locator("#leave").click()
        expect(page.get_by_text("who are you?")).to_be_visible()
        assert left[-1].startswith(f"{DOMAIN}/logout?client_id=federated&")

    browse(scenario)
    assert ("RevokeToken", {"ClientId": "federated", "Token": token(email=ANN, session="7")}) in (
        network.cognito.calls
    )


def test_no_text_becomes_markup_in_the_portals_page(
    network: Network,
) -> None:
    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        sign_in(page, ANN)
        expect(page.locator("#jobs li")).to_have_count(1)
        refused = page.evaluate(
            """() => {
              try { document.body.innerHTML = "<img src=x onerror=alert(1)>"; return false; }
              catch (error) { return error instanceof TypeError; }
            }"""
        )
        assert refused
        assert faults == []

    browse(scenario)
