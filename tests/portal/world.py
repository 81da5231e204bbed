"""A portal in memory: its index, its files, its clock and the two Lambdas, all in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tessera.aws.http_api import http_api
from tessera.portal import job_lifecycle, leases
from tessera.portal.claims import claim
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.portal.routes import ROUTES, Route
from tessera.portal.site import Site
from tessera.portal.submissions import Outcome, submit
from tessera.portal.table_layout import read_job
from tests.fakes import Clock, Executions, Files, Table

ROOT = Path(__file__).parent.parent.parent
PREPARE = "arn:aws:lambda:us-east-1:123456789012:function:prepare"
COLLECT = "arn:aws:lambda:us-east-1:123456789012:function:collect"
HOME = "s3://labels/runs/pets-1"
PAGE = """<!doctype html><html lang="en"><title>Pets</title>
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>{% for image in task.input.images %}
<img alt="" src="{{ image.source-ref | grant_read_access }}">
<input type="radio" name="{{ image.index }}" value="cat">{% endfor %}</crowd-form></html>"""


@dataclass
class World:
    """The portal and all around it, with the moves that tests make."""

    files: Files = field(default_factory=Files)
    clock: Clock = field(default_factory=Clock)
    table: Any = field(default_factory=Table)
    executions: Executions = field(default_factory=Executions)
    kept_from_people: set[int] = field(default_factory=set)
    images: int = 2
    """Images of each task."""

    @property
    def ports(self) -> Ports:
        resume = self.executions.send_task_success
        return Ports(self.table, self.files, self.clock, self.invoke, resume)

    @property
    def resumed(self) -> list[tuple[str, dict[str, Any]]]:
        """The tokens of executions that were resumed, each with what its state was sent."""
        return self.executions.sent

    @property
    def site(self) -> Site:
        return Site(ROOT / "ui", "https://cognito.test", "client", "us-east-1")

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        if arn == PREPARE:
            images = json.loads(event["dataObject"]["source"])
            wanted = images[0]["index"] not in self.kept_from_people
            return {"taskInput": {"images": images}, "isHumanAnnotationRequired": wanted}
        entries = json.loads(self.files.get(event["payload"]["s3Uri"]))
        return [
            {
                "datasetObjectId": entry["datasetObjectId"],
                "consolidatedAnnotation": {
                    "content": {
                        event["labelAttributeName"]: {
                            "responses": [
                                {
                                    "workerId": a["workerId"],
                                    "annotation": json.loads(a["annotationData"]["content"]),
                                }
                                for a in entry["annotations"]
                            ]
                        }
                    }
                },
            }
            for entry in entries
        ]

    def request(
        self,
        tasks: int,
        workers: int = 2,
        name: str = "pets-1-r1-000",
        home: str = HOME,
        **tags: str,
    ) -> Any:
        """A CreateLabelingJob request over so many tasks, its files written."""
        manifest = f"{home}/round-1/tasks-000.manifest"
        lines = []
        for task in range(tasks):
            pictures = [
                {"source-ref": f"s3://pets/{task + side * tasks}.jpg", "index": task + side * tasks}
                for side in range(self.images)
            ]
            lines.append(json.dumps({"source": json.dumps(pictures)}) + "\n")
        self.files.put(manifest, "".join(lines).encode())
        self.files.put(f"{home}/page.liquid.html", PAGE.encode())
        labels = {"labels": [{"label": label} for label in ("cat", "dog", "cannot see")]}
        self.files.put(f"{home}/labels.json", json.dumps(labels).encode())
        return {
            "LabelingJobName": name,
            "LabelAttributeName": "label",
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}},
            "OutputConfig": {"S3OutputPath": f"{home}/round-1/jobs"},
            "RoleArn": "arn:aws:iam::000000000000:role/portal",
            "LabelCategoryConfigS3Uri": f"{home}/labels.json",
            "HumanTaskConfig": {
                "WorkteamArn": "arn:aws:sagemaker:x:000000000000:workteam/private-crowd/portal",
                "UiConfig": {"UiTemplateS3Uri": f"{home}/page.liquid.html"},
                "PreHumanTaskLambdaArn": PREPARE,
                "TaskTitle": "Cat or dog?",
                "TaskDescription": "Say what each picture shows.",
                "NumberOfHumanWorkersPerDataObject": workers,
                "TaskTimeLimitInSeconds": 1800,
                "TaskAvailabilityLifetimeInSeconds": 864_000,
                "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": COLLECT},
            },
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def open(self, tasks: int, workers: int = 2, token: str = "token", **tags: str) -> Job:
        return job_lifecycle.open_job(self.ports, self.request(tasks, workers, **tags), token)

    def open_later_round(
        self, tasks: int, excluded: Mapping[int, Iterable[str]], workers: int = 1, **tags: str
    ) -> Job:
        """Open a job whose lines name the workers who may not have them."""
        request = self.request(tasks, workers, **tags)
        manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        lines = [json.loads(line) for line in self.files.get(manifest).splitlines()]
        for task, names in excluded.items():
            if named := " ".join(f"private.us-east-1.{name}" for name in sorted(names)):
                lines[task]["answered-by"] = named
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.files.put(manifest, text.encode())
        return job_lifecycle.open_job(self.ports, request, "token")

    def claim(self, job: Job, worker: str, *showing: int) -> int | None:
        """The task that the worker is given now."""
        claimed = claim(self.ports, self.again(job), worker, showing)
        return None if claimed is None else claimed.task

    def take(self, job: Job, worker: str, *showing: int) -> int:
        """The task that the worker is given now; there must be one."""
        task = self.claim(job, worker, *showing)
        assert task is not None
        return task

    def again(self, job: Job) -> Job:
        """The job as it stands now."""
        return read_job(self.table, job.name)

    def answer(self, job: Job, worker: str, task: int, label: str = "cat") -> Outcome:
        """What the portal says to the worker's answer, the same label for both images."""
        content = answer_of(job, task, label)
        return submit(self.ports, self.again(job), worker, task, content)

    def work(self, job: Job, worker: str, label: str = "cat") -> list[int]:
        """The tasks that the worker answers until there is none for them."""
        done = []
        while (task := self.claim(job, worker)) is not None:
            self.clock.wait(10)
            assert self.answer(job, worker, task, label) == "saved"
            done.append(task)
            if self.again(job).status != "Open":
                break
        return done

    def half_done(self) -> Job:
        """A job of twelve tasks with answers, seats and a skipped task."""
        job = self.open(tasks=12)
        for worker, label in (("ann", "cat"), ("ben", "dog"), ("cid", "cat")):
            for _ in range(4):
                self.clock.wait(7)
                self.answer(job, worker, self.take(job, worker), label)
        leases.give_back(self.ports, job, "ann", self.take(job, "ann"))
        self.take(job, "ben")
        return job

    def stored(self, job: Job) -> dict[tuple[int, str], Any]:
        """The answers in S3, by task and worker."""
        answers = {}
        for uri in self.files.list_uris(job.responses):
            task, worker = uri.removeprefix(job.responses).removesuffix(".json").split("/")
            answers[int(task), worker] = json.loads(self.files.get(uri))["answers"][0]
        return answers

    def respond(self, event: dict[str, Any], site: Site | None = None) -> dict[str, Any]:
        """The portal's response to an event of API Gateway."""
        app = http_api(ROUTES, lambda: self.ports, lambda: site or self.site)
        return app.resolve(event, LambdaContext())

    def ask(
        self,
        method: str,
        path: str,
        worker: str = "ann",
        body: Any = None,
        groups: str = "[]",
        **more: str,
    ) -> tuple[int, Any]:
        """The status and the content of the portal's response to a worker's HTTP request.

        `more` are further claims of the token.
        """
        claims = {"sub": worker, "cognito:groups": groups} | more if worker else {}
        path, _, query = path.partition("?")
        event = http_event(method, path, **claims) | {"rawQueryString": query}
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        response = self.respond(event)
        self.headers = response["headers"]
        text = response.get("body", "")
        is_json = response["headers"].get("content-type") == "application/json"
        return response["statusCode"], json.loads(text) if is_json else text


def http_event(method: str, path: str, **claims: str) -> dict[str, Any]:
    """What API Gateway hands on of a request whose token makes these claims, or has none."""
    context: dict[str, Any] = {"stage": "$default", "http": {"method": method, "path": path}}
    if claims:
        context["authorizer"] = {"jwt": {"claims": claims}}
    return {"version": "2.0", "rawPath": path, "requestContext": context}


def path_of(route: Route, job: str = "pets-1-r1-000") -> str:
    """A path of the route, with the job and its first task in it."""
    parts = {"<name>": "portal.js", "<job>": job, "<task>": "0", "<run>": "pets-1", "<index>": "0"}
    return re.sub(r"<\w+>", lambda part: parts[part[0]], route.path)


def answer_of(job: Job, task: int, label: str = "cat", images: int = 2) -> dict[str, Any]:
    """An answer as the page sends it."""
    choices = {choice: choice == label for choice in job.choices}
    answer: dict[str, Any] = {str(task + side * job.tasks): choices for side in range(images)}
    return answer | {"meta": "{}"}
