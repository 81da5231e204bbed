"""Workers on the portal: accounts in its pool, and simulated ones who come by its HTTP door."""

from __future__ import annotations

import json
import random
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

from tessera.stack.cloud import Cloud
from tessera.tiling.estimate import page_seconds

PAUSE = 0.5
"""Seconds a simulated worker waits before it looks for new work again."""
WORKERS_DIFFER, PICTURES_DIFFER = 0.2, 0.5
"""How far simulated seconds spread, as a share: between workers, and between pictures."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a person signs in to the portal with."""

    email: str
    password: str


def add_worker(cloud: Cloud, email: str) -> Account:
    """Make the worker, or give the one that is there a new password."""
    users, pool = cloud.client("cognito-idp"), cloud.outputs["WorkerPoolId"]
    password = f"Tessera1-{secrets.token_urlsafe(9)}"
    with suppress(users.exceptions.UsernameExistsException):  # a worker of an earlier run
        users.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
    users.admin_set_user_password(
        UserPoolId=pool, Username=email, Password=password, Permanent=True
    )
    return Account(email, password)


class PageReader(HTMLParser):
    """Reads what a worker sees on a page: each picture's address, under the name of its radios."""

    def __init__(self) -> None:
        """Start with an empty page."""
        super().__init__()
        self.pictures: dict[str, str] = {}
        self.choices: dict[str, list[str]] = {}
        self._picture = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a picture, or one of the radios under it."""
        attributes = dict(attrs)
        if tag == "img":
            self._picture = attributes.get("src") or ""
        elif tag == "input" and attributes.get("type") == "radio":
            name = attributes["name"] or ""
            self.pictures.setdefault(name, self._picture)
            self.choices.setdefault(name, []).append(attributes["value"] or "")


@dataclass
class SimulatedWorker:
    """A worker who knows the truth and errs on some images, at random but reproducibly.

    What it says of an image depends on `seed` and the image alone, not on the order of the pages.
    So do the seconds that it says it took, but for the size of the page: it answers at once.
    """

    account: Account
    portal: str
    truth: Mapping[str, str]
    labels: tuple[str, ...]
    error_rate: float
    seed: str
    cognito: str = ""
    client_id: str = ""
    answered: int = 0
    _token: str = field(default="", repr=False)

    def work(self, finished: threading.Event, run: str = "") -> None:
        """Answer every page that the portal gives of this run's jobs, until `finished` is set.

        Other runs' jobs are left alone: they are for people, or show images this worker never saw.
        Without a run, which only a stack of one's own should be given, it answers whatever is open.
        """
        self.sign_in()
        mine = f"{run}-r" if run else ""
        while not finished.is_set():
            jobs = [job for job in self.open_jobs() if job.startswith(mine)]
            if not any([self.answer_next(job) for job in jobs]):
                finished.wait(PAUSE)

    def sign_in(self) -> None:
        """Get the token that every request to the portal carries."""
        self._token = self._id_token()

    def open_jobs(self) -> list[str]:
        """The names of the jobs that the portal shows."""
        try:
            return [job["job"] for job in self._get("jobs")["jobs"]]
        except OSError as error:
            if _may_pass(error):
                return []
            raise

    def answer_next(self, job: str) -> bool:
        """Answer one page of the job; false if there is none for this worker now."""
        try:
            claim = self._request("POST", f"jobs/{job}/claims", {})
            if not claim:
                return False
            self._request(
                "PUT", f"jobs/{job}/tasks/{claim['task']}/answer", self.look(claim["page"])
            )
        except OSError as error:
            if _may_pass(error) or getattr(error, "code", 0) in {404, 409, 410}:  # closed meanwhile
                return False
            raise
        self.answered += 1
        return True

    def look(self, page: str) -> dict[str, Any]:
        """What this worker says of the pictures on a page, in the shape of the page's form."""
        reader = PageReader()
        reader.feed(page)
        shown = {name: _file_name(address) for name, address in reader.pictures.items()}
        said = {name: self._say(file) for name, file in shown.items()}
        return {
            name: {choice: choice == said[name] for choice in reader.choices[name]}
            for name in shown
        } | {"meta": self._log(shown, said)}

    def _log(self, shown: Mapping[str, str], said: Mapping[str, str]) -> str:
        """What the page would tell of itself, with made-up times that are as people's are.

        Their mean is what a page of this size takes people; some workers and some pictures take
        longer. Draws of their own, so that what is answered does not depend on them.
        """
        usual = page_seconds(len(shown)) * _about_one(f"{self.seed}/pace", WORKERS_DIFFER)
        tiles: list[dict[str, Any]] = []
        for name, file in shown.items():
            dwell = usual * _about_one(f"{self.seed}/{file}/dwell", PICTURES_DIFFER)
            tiles.append(
                {"id": name, "pos": len(tiles), "label": said[name], "dwell": round(1000 * dwell)}
            )
        log = {
            "v": 1,
            "ui": "simulated",
            "order": list(shown),
            "n": len(shown),
            "readyMs": 0,
            "submitMs": sum(tile["dwell"] for tile in tiles),
            "hiddenMs": 0,
            "tiles": tiles,
        }
        return json.dumps(log)

    def _say(self, name: str) -> str:
        truth = self.truth[name]
        chance = random.Random(f"{self.seed}/{name}")
        if chance.random() >= self.error_rate:
            return truth
        return chance.choice([label for label in self.labels if label != truth])

    def _id_token(self) -> str:
        """The id token that the portal's page would get for this account."""
        body = {
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": self.client_id,
            "AuthParameters": {
                "USERNAME": self.account.email,
                "PASSWORD": self.account.password,
            },
        }
        request = urllib.request.Request(
            self.cognito,
            json.dumps(body).encode(),
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["AuthenticationResult"]["IdToken"])

    def _get(self, path: str) -> Any:
        return self._request("GET", path)

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.portal + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
            return json.loads(content) if content else None


def _file_name(address: str) -> str:
    return unquote(urlsplit(address).path).rpartition("/")[2]


def _about_one(seed: str, spread: float) -> float:
    """A factor that is one in the mean, and never negative."""
    return random.Random(seed).lognormvariate(-(spread**2) / 2, spread)


def _may_pass(error: OSError) -> bool:
    """Whether the portal, or the way to it, is in trouble that a worker's page sits out, too."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return True
