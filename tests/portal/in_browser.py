"""Portal in a browser without a stack: its page, the portal in memory, a Cognito of a few calls.

Every request of the browser ends here, so a test can make the network, the portal or Cognito fail,
and sees all that was asked, in whose name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from playwright.sync_api import Browser, Page, Route

from tessera.portal.site import Site
from tests.portal.world import World, http_event

PORTAL, COGNITO = "https://portal.test/", "https://cognito.test"
PASSWORD, CODE = "Long-enough-1", "123456"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'

NO_STORAGE = {
    "cookies are blocked": """for (const name of ["localStorage", "sessionStorage"]) {
        Object.defineProperty(window, name, {
            get() { throw new DOMException("", "SecurityError"); },
        });
    }""",
    "storage is full": """Storage.prototype.setItem = () => {
        throw new DOMException("", "QuotaExceededError");
    };""",
}
"""What a browser that keeps nothing for the portal does, as a script before its own."""


def token(**claims: Any) -> str:
    """Make a token that says so."""
    text = json.dumps(claims).encode()
    return f"e30.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.c2ln"


def claims_of(text: str) -> dict[str, Any]:
    """Return what a token says."""
    part = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


class Refused(Exception):
    """Refusal of Cognito, by its type and what it says."""

    def __init__(self, kind: str, message: str = "refused") -> None:
        """Refuse with an exception of Cognito's."""
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


@dataclass
class Cognito:
    """User pool as the page sees it: accounts by email, each with what its sign-in asks for."""

    clock: Callable[[], float]
    challenges: dict[str, list[str]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    sign_ins: int = 0
    refusals: list[Refused] = field(default_factory=list)
    """What the next calls are refused with."""

    def answer(self, call: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return the response to a call; raises `Refused`."""
        self.calls.append((call, content))
        if self.refusals:
            raise self.refusals.pop(0)
        match call:
            case "InitiateAuth" if "PASSWORD" in content["AuthParameters"]:
                if content["AuthParameters"]["PASSWORD"] != PASSWORD:
                    raise Refused("NotAuthorizedException")
                return self.next_step(content["AuthParameters"]["USERNAME"])
            case "InitiateAuth":
                refresh = content["AuthParameters"]["REFRESH_TOKEN"]
                if refresh in self.ended:
                    raise Refused("NotAuthorizedException")
                claims = claims_of(refresh)
                return {"AuthenticationResult": self.tokens(claims["email"], claims["session"])}
            case "RespondToAuthChallenge":
                responses = content["ChallengeResponses"]
                if responses.get("SOFTWARE_TOKEN_MFA_CODE", CODE) != CODE:
                    raise Refused("CodeMismatchException")
                self.challenges[responses["USERNAME"]].pop(0)
                return self.next_step(responses["USERNAME"])
            case "AssociateSoftwareToken":
                return {"SecretCode": "ABCDEFGH", "Session": "associated"}
            case "VerifySoftwareToken":
                if content["UserCode"] != CODE:
                    raise Refused("EnableSoftwareTokenMFAException")
                return {"Status": "SUCCESS", "Session": "verified"}
            case "RevokeToken":
                self.ended.add(content["Token"])
        return {}

    def next_step(self, email: str) -> dict[str, Any]:
        """Return the next challenge of an account, or its tokens."""
        if left := self.challenges.get(email):
            return {"ChallengeName": left[0], "Session": f"{email} {left[0]}"}
        self.sign_ins += 1
        return {"AuthenticationResult": self.tokens(email, str(self.sign_ins))}

    def tokens(self, email: str, session: str) -> dict[str, Any]:
        """Return the tokens of one sign-in."""
        now = int(self.clock())
        shared = {"sub": email.partition("@")[0], "email": email, "origin_jti": session}
        return {
            "IdToken": token(**shared, token_use="id", auth_time=now, n=len(self.calls)),
            "AccessToken": token(**shared, token_use="access", auth_time=now),
            "RefreshToken": token(email=email, session=session),
            "ExpiresIn": 3600,
        }


@dataclass
class Network:
    """All that the browser reaches, and what it asked of it."""

    world: World
    site: Site = field(default_factory=lambda: Site(World().site.ui, COGNITO, "client", "r"))
    is_down: bool = False
    refuse: Callable[[str, str], int] = lambda method, path: 0
    """Status that something before the portal answers a request with; 0 to let it through."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and worker of each request of the portal."""

    def __post_init__(self) -> None:
        """Begin with a pool whose clock is the world's."""
        self.cognito = Cognito(self.world.clock)

    def open(self, browser: Browser) -> Page:
        """Open the portal in a browser's new context."""
        context = browser.new_context()
        context.set_default_timeout(15_000)
        page = context.new_page()
        context.route("**/*", self.fulfill)
        page.goto(PORTAL)
        return page

    def fulfill(self, route: Route) -> None:
        """Answer one request."""
        url = route.request.url
        if self.is_down:
            route.abort()
        elif url.startswith(PORTAL):
            self._portal(route, url.removeprefix(PORTAL))
        elif url.startswith(COGNITO):
            self._cognito(route)
        elif url.startswith("https://pictures.test/"):
            route.fulfill(content_type="image/svg+xml", body=PICTURE)
        else:
            route.abort()

    def _portal(self, route: Route, path: str) -> None:
        request = route.request
        path, _, query = path.partition("?")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        claims = {name: str(value) for name, value in claims_of(bearer).items()} if bearer else {}
        if claims:
            self.asked.append((request.method, path, claims["sub"]))
        if status := self.refuse(request.method, f"/{path}"):
            route.fulfill(status=status, json={"message": "no"})
            return
        event = http_event(request.method, f"/{path}", **claims) | {"rawQueryString": query}
        response = self.world.respond(event | {"body": request.post_data or ""}, self.site)
        route.fulfill(
            status=response["statusCode"], headers=response["headers"], body=response["body"]
        )

    def _cognito(self, route: Route) -> None:
        request, headers = route.request, {"access-control-allow-origin": "*"}
        if request.method == "OPTIONS":
            route.fulfill(headers=headers | {"access-control-allow-headers": "*"})
            return
        call = request.headers["x-amz-target"].partition(".")[2]
        try:
            content = self.cognito.answer(call, json.loads(request.post_data or "{}"))
        except Refused as refusal:
            body = {"__type": refusal.kind, "message": refusal.message}
            route.fulfill(status=400, headers=headers, json=body)
        else:
            route.fulfill(headers=headers, json=content)

    def with_site(self, **changed: Any) -> Network:
        """Change how the portal is set up."""
        self.site = replace(self.site, **changed)
        return self


def sign_in(page: Page, email: str, form: str = "#sign-in") -> None:
    """Fill in a form and send it."""
    page.locator(f"{form} [name=name]").fill(email)
    page.locator(f"{form} [name=password]").fill(PASSWORD)
    page.locator(f"{form} form button.main").click()
