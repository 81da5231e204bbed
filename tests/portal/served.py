"""The portal on the local stack: a job opened straight away, and workers who ask over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec

from tessera.simulation.workers import Account, add_worker
from tessera.stack.cloud import Cloud
from tessera.tiling.page.page import build_page
from tessera.tiling.run.offsets import pack_offsets
from tessera.tiling.settings import read_settings

ROOT = Path(__file__).parent.parent.parent
LABELS = ("cat", "dog")
QUESTION = "Cat or dog?"


@dataclass
class Worker:
    """A signed-in worker who talks to the portal as its page does."""

    portal: str
    token: str
    headers: Message = field(default_factory=Message)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the content of the response."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.portal + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text, self.headers = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            # Not a dict of them: the portal writes its headers' names small.
            status, text, self.headers = error.code, error.read(), error.headers
        is_json = self.headers.get("Content-Type", "").startswith("application/json")
        return status, json.loads(text) if is_json and text else text.decode()


@dataclass
class Served:
    """A deployed portal, with what a test needs to put jobs and people into it."""

    cloud: Cloud

    def function(self, name: str) -> str:
        """The ARN of a function by its name in the template."""
        resource = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=self.cloud.stack_name, LogicalResourceId=name
        )
        physical = resource["StackResourceDetail"]["PhysicalResourceId"]
        described = self.cloud.client("lambda").get_function(FunctionName=physical)
        return str(described["Configuration"]["FunctionArn"])

    def configure(self, function: str, **variables: str) -> None:
        """Change variables of a function's environment."""
        client, name = self.cloud.client("lambda"), self.function(function)
        now = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": now | variables}
        )

    def call(self, function: str, event: dict[str, Any]) -> Any:
        """What a function of the stack answers."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.function(function), Payload=json.dumps(event).encode()
        )
        content = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, content
        return content

    def request(
        self,
        name: str,
        tasks: int,
        workers: int = 2,
        images: int = 20,
        minutes: int = 30,
        **tags: str,
    ) -> dict[str, Any]:
        """A job's request, with its tasks, page and labels written to the bucket."""
        storage, inbox = self.cloud.storage, self.cloud.outputs["Inbox"]
        home = f"{self.cloud.outputs['Labels']}/{name.removesuffix('-r1-000')}"
        settings = read_settings(
            json.dumps({"labels": LABELS, "question": QUESTION, "instructions": ""}).encode()
        )
        template = (ROOT / "ui" / "tiles.liquid.html").read_text()
        labels = {"labels": [{"label": choice} for choice in settings.choices]}
        manifest, offsets = bytearray(), [0]
        for task in range(tasks):
            pictures = [
                {
                    "source-ref": f"{inbox}/pictures/{(task + side * tasks) % 20}.svg",
                    "index": task + side * tasks,
                }
                for side in range(images)
            ]
            manifest += json.dumps({"source": json.dumps(pictures)}).encode() + b"\n"
            offsets.append(len(manifest))
        storage.put(f"{home}/round-1/tasks-000.manifest", bytes(manifest))
        storage.put(f"{home}/round-1/tasks-000.offsets", pack_offsets(offsets))
        storage.put(f"{home}/page.liquid.html", build_page(template, settings).encode())
        storage.put(f"{home}/labels.json", json.dumps(labels).encode())
        storage.put(f"{home}/settings.json", msgspec.json.encode(settings))
        return {
            "LabelingJobName": name,
            "LabelAttributeName": "label",
            "InputConfig": {
                "DataSource": {
                    "S3DataSource": {"ManifestS3Uri": f"{home}/round-1/tasks-000.manifest"}
                }
            },
            "OutputConfig": {"S3OutputPath": f"{home}/round-1/jobs"},
            "RoleArn": "arn:aws:iam::000000000000:role/portal",
            "LabelCategoryConfigS3Uri": f"{home}/labels.json",
            "HumanTaskConfig": {
                "WorkteamArn": "arn:aws:sagemaker:x:000000000000:workteam/private-crowd/portal",
                "UiConfig": {"UiTemplateS3Uri": f"{home}/page.liquid.html"},
                "PreHumanTaskLambdaArn": self.function("PrepareTaskFunction"),
                "TaskTitle": QUESTION,
                "TaskDescription": f"{QUESTION} Each page shows up to {images} images.",
                "NumberOfHumanWorkersPerDataObject": workers,
                "TaskTimeLimitInSeconds": minutes * 60,
                "TaskAvailabilityLifetimeInSeconds": 864_000,
                "AnnotationConsolidationConfig": {
                    "AnnotationConsolidationLambdaArn": self.function("CollectAnswersFunction")
                },
            },
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def again(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request as the stack would make it now: its functions may have other names."""
        human = request["HumanTaskConfig"] | {
            "PreHumanTaskLambdaArn": self.function("PrepareTaskFunction"),
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": self.function("CollectAnswersFunction")
            },
        }
        return request | {"HumanTaskConfig": human}

    def draw_pictures(self) -> None:
        """Put twenty pictures that can be told apart into the inbox."""
        for number in range(20):
            cat = number % 2
            color, ears = (
                ("#d9a066", "M20 30l8-22 14 16zM80 30L72 8 58 24z")
                if cat
                else ("#8d6e63", "M16 34q-10 30 4 40l8-40zM84 34q10 30-4 40l-8-40z")
            )
            ground = f"hsl({number * 18} 40% 88%)"
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="320" '
                'viewBox="0 0 100 100">'
                f'<rect width="100" height="100" fill="{ground}"/>'
                f'<path fill="{color}" d="{ears}"/><circle cx="50" cy="52" r="32" fill="{color}"/>'
                '<circle cx="39" cy="46" r="4"/><circle cx="61" cy="46" r="4"/>'
                '<path d="M44 60h12l-6 7z"/></svg>'
            )
            uri = f"{self.cloud.outputs['Inbox']}/pictures/{number}.svg"
            self.cloud.storage.put(uri, svg.encode(), content_type="image/svg+xml")

    def open(self, name: str, tasks: int, **options: Any) -> dict[str, Any]:
        """Open a job of so many tasks; its request."""
        request = self.request(name, tasks, **options)
        self.call("OpenJobFunction", {"request": request})
        return request

    def account(self, name: str, *groups: str) -> Account:
        """An account of the pool, a member of the groups."""
        account = add_worker(self.cloud, f"{name}@example.org")
        users, pool = self.cloud.client("cognito-idp"), self.cloud.outputs["WorkerPoolId"]
        for group in groups:
            with suppress(users.exceptions.GroupExistsException):
                users.create_group(UserPoolId=pool, GroupName=group)
            users.admin_add_user_to_group(UserPoolId=pool, Username=account.email, GroupName=group)
        return account

    def sign_in(self, account: Account, kind: str = "IdToken") -> Worker:
        """The worker of the account, signed in."""
        result = self.cognito(
            "InitiateAuth",
            {
                "AuthFlow": "USER_PASSWORD_AUTH",
                "AuthParameters": {"USERNAME": account.email, "PASSWORD": account.password},
            },
        )
        return Worker(self.cloud.portal_url, result["AuthenticationResult"][kind])

    def cognito(self, action: str, content: dict[str, Any]) -> Any:
        """What Cognito answers to the browser's own request."""
        client = self.cloud.outputs["WorkerPoolClientId"]
        request = urllib.request.Request(
            self.cloud.cognito_url,
            json.dumps({"ClientId": client} | content).encode(),
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"AWSCognitoIdentityProviderService.{action}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def worker(self, name: str, *groups: str) -> Worker:
        """A signed-in worker of this name."""
        return self.sign_in(self.account(name, *groups))

    def answers(self, request: dict[str, Any]) -> dict[tuple[int, str], Any]:
        """The answers in S3, by task and worker."""
        name = request["LabelingJobName"]
        output = request["OutputConfig"]["S3OutputPath"]
        prefix = f"{output}/{name}/annotations/worker-response/iteration-1/"
        answers = {}
        for uri in self.cloud.storage.list_uris(prefix):
            task, worker = uri.removeprefix(prefix).removesuffix(".json").split("/")
            answers[int(task), worker] = json.loads(self.cloud.storage.get(uri))["answers"][0]
        return answers


def answer_of(task: int, tasks: int, images: int = 20, label: str = "cat") -> dict[str, Any]:
    """An answer to a task as the page sends it."""
    choices = {choice: choice == label for choice in (*LABELS, "cannot see")}
    return {str(task + side * tasks): choices for side in range(images)} | {"meta": "{}"}
