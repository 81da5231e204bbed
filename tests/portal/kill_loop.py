"""Crowd at a portal whose server is killed again and again, and the books it keeps meanwhile.

`Workers` ask over HTTP as the portal's page does: again until the portal has decided. `KillLoop`
drops a manifest, kills the embedded AWS at random moments, starts it anew and drops the manifest
again, which loses the index and the execution each time; between kills it loses the index alone.
`audit` compares what workers were told with what S3 and the run's files hold.
"""

from __future__ import annotations

import csv
import io
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.runs.executions import RunError, drop, list_executions, wait_for_execution
from tessera.simulation.workers import Account, PageReader, add_worker
from tessera.stack.local_stack import LocalStack
from tests.portal.served import Served, Worker

PROJECT, NAME = "kills", "pets"
IMAGES_PER_TASK, ANSWERS = 5, 2
LEASE = 60
"""Seconds of a lease: as short as the settings allow, so that some answers come after its end."""
AT_ONCE = 6
"""Requests under way: the stack answers some eight at a time, and a queue would time out."""

LOST = (OSError, ValueError, HTTPException)
"""No server, or half a response of one: `IncompleteRead` is an `HTTPException` and no `OSError`."""

Submission = tuple[str, str, str]
"""Job, task and worker of a submission."""


@dataclass
class Books:
    """What workers sent and were told; every thread writes it under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: defaultdict[Submission, set[str]] = field(default_factory=lambda: defaultdict(set))
    saved: set[Submission] = field(default_factory=set)
    pictures: dict[Submission, list[str]] = field(default_factory=dict)
    given_again: list[Submission] = field(default_factory=list)
    responses: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, status: int) -> None:
        """Count a response."""
        with self.lock:
            self.responses[f"{kind} {status}"] += 1


class LabelingWorker(threading.Thread):
    """Worker who labels whatever the portal gives until `finished`, and sends much of it twice."""

    def __init__(
        self,
        served: Served,
        account: Account,
        books: Books,
        calm: threading.Event,
        finished: threading.Event,
    ) -> None:
        """Keep the account; the worker signs in when the thread starts."""
        super().__init__(daemon=True, name=account.email)
        self.served, self.account, self.books = served, account, books
        self.calm, self.finished = calm, finished
        self.chance = random.Random(account.email)
        self.session: Worker | None = None
        self.places = threading.Semaphore(AT_ONCE)
        self.earlier: list[tuple[str, dict[str, Any]]] = []

    def run(self) -> None:
        """Work until everything is done."""
        me = self.ask("GET", "me")[1]
        while not self.finished.is_set():
            status, content = self.ask("GET", "jobs")
            for job in content["jobs"] if status == 200 else ():
                while not self.finished.is_set() and self.label_task(job["job"], me["worker"]):
                    self.resend_earlier()
            self.finished.wait(2)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the response to a request, asked again until the portal has decided."""
        while not self.finished.is_set():
            try:
                self.session = self.session or self.served.sign_in(self.account)
                with self.places:
                    status, content = self.session.ask(method, path, body)
            except LOST:
                status, content = 0, None
            if status == 401:
                self.session = None
            elif _is_decided(method, status, content):
                return status, content
            self.books.note("again", status)
            self.finished.wait(0.3 + self.chance.random() / 2)
        return 0, None

    def label_task(self, job: str, worker: str) -> bool:
        """Answer one task of the job; return whether there was one."""
        status, claim = self.ask("POST", f"jobs/{job}/claims", {})
        if status != 200:
            return False
        key = (job, claim["task"], worker)
        with self.books.lock:
            if key in self.books.saved:
                self.books.given_again.append(key)
        pictures, answer = self.answer_to(claim["page"])
        # One in thirty pages lies there until its lease has gone to somebody else.
        is_late = self.chance.random() < 1 / 30
        if is_late:  # until nobody kills any more: the last pages of a round need no such wait
            self.calm.wait(2.3 * LEASE)
        self.finished.wait(1 + 3 * self.chance.random())
        with self.books.lock:
            self.books.sent[key].add(answer["meta"])
            self.books.pictures[key] = pictures
        path = f"jobs/{job}/tasks/{claim['task']}/answer"
        if self.chance.random() < 0.15:
            self.send_from_second_tab(path, answer)
        status, response = self.ask("PUT", path, answer)
        outcome = response.get("outcome") or response.get("error") if response else None
        self.books.note(f"answer {outcome}", status)
        # `different`: another answer of this worker is saved, and no other will be.
        if status == 200 or outcome == "different":
            with self.books.lock:
                self.books.saved.add(key)
        if status == 200:
            self.earlier.append((path, answer))
        return status != 0

    def answer_to(self, page: str) -> tuple[list[str], dict[str, Any]]:
        """Return the numbers of the page's pictures, and labels of them under a mark of its own."""
        reader = PageReader()
        reader.feed(page)
        answer: dict[str, Any] = {}
        for name, choices in reader.choices.items():
            label = "dog" if random.Random(f"{self.name}{name}").random() < 0.1 else "cat"
            answer[name] = {choice: choice == label for choice in choices}
        pictures = [urlsplit(src).path.rpartition("/")[2][:-4] for src in reader.pictures.values()]
        return pictures, answer | {"meta": json.dumps([self.name, self.chance.random()])}

    def resend_earlier(self) -> None:
        """Send an answer that was acknowledged long ago once more, now and then."""
        if self.earlier and self.chance.random() < 0.1:
            self.ask("PUT", *self.chance.choice(self.earlier))

    def send_from_second_tab(self, path: str, answer: dict[str, Any]) -> None:
        """Send the answer at the same time on another connection, once."""

        def send() -> None:
            with suppress(*LOST):
                if session := self.session:
                    session.ask("PUT", path, answer)

        threading.Thread(target=send, daemon=True).start()


def _is_decided(method: str, status: int, content: Any) -> bool:
    """Return whether the portal itself has decided, as its page tells it.

    An answer waits in the page's outbox until its job is open again, and what names no error came
    from something before the portal.
    """
    if status in {0, 429} or status >= 500:
        return False
    if status < 400:
        return True
    reason = content if isinstance(content, dict) else {}
    if method == "PUT" and reason.get("error") == "UnknownJob":
        return False
    return bool(reason.get("error") or reason.get("outcome"))


@dataclass
class KillLoop:
    """Stack that is killed while a crowd labels a manifest on it."""

    stack: LocalStack
    kills: int
    seed: int
    workers: int = 20
    images: int = 250
    books: Books = field(default_factory=Books)
    recoveries: list[float] = field(default_factory=list)
    losses: int = 0
    moments: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the accounts, on a stack that saves them."""
        self.chance = random.Random(self.seed)
        accounts = [
            add_worker(self.stack.cloud, f"kills-{number}@example.org")
            for number in range(self.workers)
        ]
        # The embedded AWS writes its state when it is stopped in order, and a kill loses the rest.
        self.stack.stop()
        self.stack.start()
        self.calm, self.finished = threading.Event(), threading.Event()
        served = Served(self.stack.cloud)
        self.crowd = [
            LabelingWorker(served, account, self.books, self.calm, self.finished)
            for account in accounts
        ]
        places = threading.Semaphore(AT_ONCE)
        for worker in self.crowd:
            worker.places = places

    def drop(self) -> str:
        """Drop the manifest, the same each time, and return the ARN of its execution."""
        inbox = self.stack.cloud.outputs["Inbox"]
        lines = (
            json.dumps({"source-ref": f"{inbox}/{PROJECT}/{number}.png"}) + "\n"
            for number in range(self.images)
        )
        settings = {
            "labels": ["cat", "dog"],
            "images_per_task": IMAGES_PER_TASK,
            "answers_per_image": ANSWERS,
            "max_answers": ANSWERS + 1,
            "task_minutes": LEASE // 60,
        }
        drop_now = partial(drop, project=PROJECT, name=NAME, settings=json.dumps(settings).encode())
        before = {each["executionArn"] for each in list_executions(self.stack.cloud, 100)}
        key = drop_now(self.stack.cloud, "".join(lines).encode())
        return wait_for_execution(self.stack.cloud, key, besides=before)

    def run(self, seconds: float) -> str:
        """Kill until it was done often enough, and return how the run ended, or that it hangs."""
        self.moments["begun"] = time.monotonic()
        execution = self.drop()
        for worker in self.crowd:
            worker.start()
        try:
            self._wait_for_answers(1, seconds=150)  # functions start, a process each
            assert self.books.saved, self._status(execution)
            self.moments["first answer"] = time.monotonic()
            for number in range(self.kills):
                self._wait_for_answers(0 if number % 4 == 3 else self.chance.randint(1, 3))
                if number % 5 == 2:
                    self._lose_index()
                execution = self._kill_and_start()
            self.moments["kills"] = time.monotonic()
            self.calm.set()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if (status := self._status(execution)) != "RUNNING":
                    self.moments["end"] = time.monotonic()
                    return status
                time.sleep(1)
            return "hangs"
        finally:
            self.calm.set()
            self.finished.set()
            for worker in self.crowd:
                worker.join(90)

    def _wait_for_answers(self, count: int, seconds: float = 6) -> None:
        """Wait for so many more answers, or for so long, and then some moment more.

        None at all: the kill comes while the run is being taken up from the kill before.
        """
        wanted, end = len(self.books.saved) + count, time.monotonic() + seconds
        while len(self.books.saved) < wanted and time.monotonic() < end:
            time.sleep(0.05)
        # No condition to wait for: the server is killed at a random moment of people's work.
        time.sleep(self.chance.uniform(0, 1 if count else 4))

    def _kill_and_start(self) -> str:
        """Kill the server as a power cut would, start it, and drop the manifest again."""
        began = time.monotonic()
        self.stack.stop(hard=True)
        self.stack.start()
        for _ in range(10):
            with suppress(RunError, ClientError, BotoCoreError):
                execution = self.drop()
                self.recoveries.append(time.monotonic() - began)
                return execution
        raise AssertionError("The manifest cannot be dropped again.")

    def _lose_index(self) -> None:
        """Delete every item of the table under the workers' hands, and rebuild it from S3."""
        client, name = self.stack.cloud.client("dynamodb"), self.stack.cloud.outputs
        table = name["PortalTableName"]
        pages = client.get_paginator("scan").paginate(
            TableName=table, ProjectionExpression="pk, sk"
        )
        for page in pages:
            for key in page["Items"]:
                client.delete_item(TableName=table, Key=key)
        for uri in self._records():
            with suppress(PortalError):  # a job that changes meanwhile is repaired by the redrop
                job_lifecycle.restore(self.stack.cloud.ports, uri)
        self.losses += 1

    def _records(self) -> list[str]:
        """Return the URIs of all jobs' records."""
        storage, labels = self.stack.cloud.storage, self.stack.cloud.outputs["Labels"]
        return [uri for uri in storage.list_uris(f"{labels}/") if uri.endswith("/job.json")]

    def _status(self, execution: str) -> str:
        client = self.stack.cloud.client("stepfunctions")
        return str(client.describe_execution(executionArn=execution)["status"])


class Findings(NamedTuple):
    """Faults, each of which must be none, and figures of how much there was to go wrong."""

    lost: list[Submission]
    in_another_name: list[Submission]
    given_again: list[Submission]
    over_answered: list[tuple[str, str]]
    unanswered: list[tuple[str, str]]
    missing_in_answers: list[Submission]
    doubled: list[tuple[str, str]]
    figures: dict[str, Any]


def audit(loop: KillLoop) -> Findings:
    """Compare what workers were told with what S3 holds and with the run's files."""
    storage, books = loop.stack.cloud.storage, loop.books
    stored: dict[Submission, str] = {}
    unanswered, over_answered = [], []
    for record in loop._records():
        request = json.loads(storage.get(record))["request"]
        job, asked = request["LabelingJobName"], request["HumanTaskConfig"]
        seats = asked["NumberOfHumanWorkersPerDataObject"]
        manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        answers: Counter[str] = Counter()
        for task, worker, mark in _stored(loop, record):
            stored[job, task, worker] = mark
            answers[task] += 1
        for number in range(storage.get(manifest).count(b"\n")):
            if answers[str(number)] > seats:
                over_answered.append((job, str(number)))
            if answers[str(number)] == 0:
                unanswered.append((job, str(number)))
    rows = _answer_rows(loop)
    each = Counter(rows)
    return Findings(
        lost=[key for key in books.saved if key not in stored],
        in_another_name=[key for key in stored if stored[key] not in books.sent[key]],
        given_again=books.given_again,
        over_answered=over_answered,
        unanswered=unanswered,
        missing_in_answers=[
            key for key in books.saved if any((n, key[2]) not in each for n in books.pictures[key])
        ],
        doubled=[row for row, count in each.items() if count > 1],
        figures={
            "kills": len(loop.recoveries),
            "indexes lost besides": loop.losses,
            "acknowledged": len(books.saved),
            "stored": len(stored),
            "rows": len(rows),
            "recovery": f"{min(loop.recoveries):.0f}–{max(loop.recoveries):.0f} s",
            "seconds": _steps(loop.moments),
            "responses": dict(sorted(books.responses.items())),
        },
    )


def _steps(moments: dict[str, float]) -> dict[str, int]:
    """Return how many seconds each step took, by the moment that ended it."""
    names, times = list(moments), list(moments.values())
    spent = (round(end - start) for start, end in pairwise(times))
    return dict(zip(names[1:], spent, strict=True))


def _stored(loop: KillLoop, record: str) -> Iterator[tuple[str, str, str]]:
    """Yield task, worker and mark of each answer of a job."""
    storage = loop.stack.cloud.storage
    prefix = f"{record.rpartition('/')[0]}/annotations/worker-response/iteration-1/"
    for uri in storage.list_uris(prefix):
        task, worker = uri.removeprefix(prefix).removesuffix(".json").split("/")
        content = json.loads(storage.get(uri))["answers"][0]["answerContent"]
        yield task, worker, content["meta"]


def _answer_rows(loop: KillLoop) -> list[tuple[str, str]]:
    """Return picture and worker of each row of the run's answers.csv."""
    storage, labels = loop.stack.cloud.storage, loop.stack.cloud.outputs["Labels"]
    files = [uri for uri in storage.list_uris(f"{labels}/") if uri.endswith("/answers.csv")]
    texts = [storage.get(uri).decode("utf-8") for uri in files]
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text))]
    return [(row["task"], row["worker"].rpartition(".")[2]) for row in rows]
