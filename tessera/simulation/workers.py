"""Simulated workers, who label through the portal's HTTP API with accounts of their own."""

from __future__ import annotations

import json
import random
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

from tessera.stack.cloud import Cloud
from tessera.tiling.estimate import page_seconds

PAUSE = 0.5
"""Seconds that a simulated worker waits before it looks for work again."""
CLOSED = {404, 409, 410}
"""Status codes with which the portal says that a job has closed meanwhile."""
WORKERS_DIFFER, PICTURES_DIFFER = 0.2, 0.5
"""Spread of the simulated seconds between workers and between pictures: sigma of a lognormal."""


@dataclass(frozen=True, slots=True)
class Account:
    """Email address and password that a person signs in to the portal with."""

    email: str
    password: str


def add_worker(cloud: Cloud, email: str) -> Account:
    """Create an account, or give the one of an earlier run a new password."""
    users, pool = cloud.client("cognito-idp"), cloud.outputs["WorkerPoolId"]
    password = f"Tessera1-{secrets.token_urlsafe(9)}"
    with suppress(users.exceptions.UsernameExistsException):
        users.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
    users.admin_set_user_password(
        UserPoolId=pool, Username=email, Password=password, Permanent=True
    )
    return Account(email, password)


class PageReader(HTMLParser):
    """Parser of a worker's page: the address of each picture, and its choices, by input name."""

    def __init__(self) -> None:
        """Start with an empty page."""
        super().__init__()
        self.pictures: dict[str, str] = {}
        self.choices: dict[str, list[str]] = {}
        self._picture = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a picture, or one of the choices under it; boxes without a name are the page's."""
        attributes = dict(attrs)
        if tag == "img":
            self._picture = attributes.get("src") or ""
        elif tag == "input" and attributes.get("type") in ("radio", "checkbox"):
            name = attributes.get("name") or ""
            if not name:
                return
            self.pictures.setdefault(name, self._picture)
            self.choices.setdefault(name, []).append(attributes["value"] or "")


@dataclass
class SimulatedWorker:
    """Worker who knows the truth and errs on some images, at random but reproducibly.

    Its answer to an image depends on `seed` and the image alone, not on the order of the pages.
    So do the seconds that it reports, but for the size of the page; in fact it answers at once.
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
        """Answer every page of this run's jobs that the portal gives, until `finished` is set.

        Other runs' jobs are left alone: they are for people, or show images unknown to this worker.
        Without a run it answers whatever is open, which is for stacks that nobody else uses.
        """
        self.sign_in()
        prefix = f"{run}-r" if run else ""
        while not finished.is_set():
            jobs = [job for job in self.open_jobs() if job.startswith(prefix)]
            if not any([self.answer_next(job) for job in jobs]):
                finished.wait(PAUSE)

    def sign_in(self) -> None:
        """Get the token that every request to the portal carries."""
        self._token = self._id_token()

    def open_jobs(self) -> list[str]:
        """Return the names of the jobs that the portal shows."""
        try:
            return [job["job"] for job in self._get("jobs")["jobs"]]
        except OSError as error:
            if _is_temporary(error):
                return []
            raise

    def answer_next(self, job: str) -> bool:
        """Answer one page of the job; return whether there was one."""
        try:
            claim = self._request("POST", f"jobs/{job}/claims", {})
            if not claim:
                return False
            self._request(
                "PUT", f"jobs/{job}/tasks/{claim['task']}/answer", self.label_page(claim["page"])
            )
        except OSError as error:
            if _is_temporary(error) or getattr(error, "code", 0) in CLOSED:
                return False
            raise
        self.answered += 1
        return True

    def label_page(self, page: str) -> dict[str, Any]:
        """Label the pictures on a page, and return the answer as the page's form submits it."""
        reader = PageReader()
        reader.feed(page)
        files = {name: _file_name(address) for name, address in reader.pictures.items()}
        labels = {name: self._choose_label(file) for name, file in files.items()}
        return {
            name: {choice: choice == labels[name] for choice in reader.choices[name]}
            for name in files
        } | {"meta": self._page_log(files, labels)}

    def _page_log(self, files: Mapping[str, str], labels: Mapping[str, str]) -> str:
        """Return the log that the page would submit, with made-up times like people's.

        Their mean is what a page of this size takes people; some workers and some pictures take
        longer. They are drawn apart from the labels, which thus do not depend on them.
        """
        mean_seconds = page_seconds(len(files)) * _about_one(f"{self.seed}/pace", WORKERS_DIFFER)
        tiles: list[dict[str, Any]] = []
        for name, file in files.items():
            dwell = mean_seconds * _about_one(f"{self.seed}/{file}/dwell", PICTURES_DIFFER)
            tiles.append(
                {"id": name, "pos": len(tiles), "label": labels[name], "dwell": round(1000 * dwell)}
            )
        log = {
            "v": 1,
            "ui": "simulated",
            "order": list(files),
            "n": len(files),
            "readyMs": 0,
            "submitMs": sum(tile["dwell"] for tile in tiles),
            "hiddenMs": 0,
            "tiles": tiles,
        }
        return json.dumps(log)

    def _choose_label(self, name: str) -> str:
        truth = self.truth[name]
        chance = random.Random(f"{self.seed}/{name}")
        if chance.random() >= self.error_rate:
            return truth
        return chance.choice([label for label in self.labels if label != truth])

    def _id_token(self) -> str:
        """Return the ID token that the portal's page would get for this account."""
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
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(json.load(response)["AuthenticationResult"]["IdToken"])

    def _get(self, path: str) -> Any:
        return self._request("GET", path)

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.portal + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            content = response.read()
            return json.loads(content) if content else None


@contextmanager
def at_work(crew: Sequence[SimulatedWorker], run: str = "") -> Iterator[None]:
    """Have the workers label a run, or whatever is open, for the length of a `with` block.

    Each has a thread. They are waited for unless the block fails.
    """
    finished = threading.Event()
    threads = [
        threading.Thread(target=worker.work, args=(finished, run), daemon=True) for worker in crew
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        finished.set()
    for thread in threads:
        thread.join()


def _file_name(address: str) -> str:
    return unquote(urlsplit(address).path).rpartition("/")[2]


def _about_one(seed: str, spread: float) -> float:
    """Return a random factor whose mean is one and which is never negative."""
    return random.Random(seed).lognormvariate(-(spread**2) / 2, spread)


def _is_temporary(error: OSError) -> bool:
    """Return whether an error is one that a worker's page waits out, too."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return True
