"""Every grant of every function, taken away in turn: what fails then?

`python tests/cloud/grants.py` starts a local stack of its own with IAM enforced, deploys to it,
and writes the table into `docs/grants.md`, or of some functions alone, if they are named. Each
function is invoked by itself, so that a failure is the failure of the one whose grant is gone.
What the embedded AWS cannot show is listed with the reason.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tessera.portal.reviews import Picture, Review, open_review
from tessera.portal.table_layout import job_key, open_key
from tessera.stack.local_stack import INBOX, LABELS, LocalStack, free_port

TABLE = ROOT / "docs" / "grants.md"
DIGITS = ROOT / "examples" / "digits"
LABELS_ASKED = list("0123456789")
SETTINGS = {
    "labels": LABELS_ASKED,
    "images_per_task": 2,
    "answers_per_image": 2,
    "remember_workers": True,
    "offer_to": "upper half",
    "offer_first_round": True,
}
WORKERS = ("ann", "bob")

NOT_SEEN = {
    "s3:AbortMultipartUpload": "used when a write of more than 8 MiB fails half-way",
    "kms:Decrypt": "only in a stack with a key of its own",
    "kms:GenerateDataKey": "only in a stack with a key of its own",
    "sqs:SendMessage": "Lambda itself sends an event that the function gave up on",
    "group-images s3:ListBucket": "without it an absent object is a 403 on AWS, here a 404",
    "consolidate-labels s3:ListBucket tessera-inbox": "without it a manifest that is gone is a 403 "
    "on AWS, here a 404",
    "serve-portal s3:PutObject tessera-labels/runs/*/round-*/jobs/*/set-aside/*": "when a page "
    "has failed three times, a minute apart, its reason is kept",
    "close-job cognito-idp:ListUsers": "without it pages of a later round that no account is left "
    "for wait for one",
    "close-job cognito-idp:ListUsersInGroup": "the same for a project with a team",
    "close-job lambda:InvokeFunction": "calls the functions of custom tasks, by their tag",
    "serve-portal lambda:InvokeFunction": "calls the functions of custom tasks, by their tag",
    "serve-portal s3:GetObject tessera-labels/runs/*/qualification/*": "shows the pictures of a "
    "qualification, whose copies lie there",
    "serve-portal s3:GetObject tessera-labels/projects/*/qualification/*": "reads what a worker "
    "came to in a qualification, where the table lost it",
    "serve-portal s3:PutObject tessera-labels/projects/*/qualification/*": "keeps what a worker "
    "came to in a qualification",
    "embed-images s3:GetObject tessera-labels/runs/*/qualification/*": "comes with the role that "
    "shows pictures, whose other user shows those of a qualification",
    "embed-images s3:ListBucket": "without it an absent object is a 403 on AWS, here a 404",
    "serve-portal s3:ListBucket": "without it an absent object is a 403 on AWS, here a 404",
}
"""Actions, or a function's actions, whose want no run shows, each with what it is there for."""


class Grant(NamedTuple):
    """One action on one resource, of one statement of a function's role."""

    function: str
    role: str
    policy: str
    statement: int
    action: str
    resource: str


class World:
    """A deployed stack with IAM enforced, and what the functions are invoked with there."""

    def __init__(self, stack: LocalStack, project: str = "grants") -> None:
        """Put pictures and settings into the inbox, and make an execution that is dead.

        What the workers of one `project` are remembered by decides who is offered its next pages
        first: each function has its own, or one exercise would change another's.
        """
        self.cloud = stack.cloud
        self.project = project
        self.number = 0
        storage, folder = self.cloud.storage, f"s3://{INBOX}/{project}"
        for path in sorted((DIGITS / "images").glob("00[0-3].png")):
            storage.upload(path, f"{folder}/{path.name}")
        storage.put(f"{folder}/labeling.json", json.dumps(SETTINGS).encode())
        started = self.cloud.client("stepfunctions").start_execution(
            stateMachineArn=self.cloud.outputs["StateMachineArn"],
            input=json.dumps({"detail": {"bucket": {"name": INBOX}, "object": {"key": "no"}}}),
        )
        self.dead = started["executionArn"]

    @cached_property
    def lambdas(self) -> Any:
        """The Lambda client."""
        return self.cloud.client("lambda")

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """What the function answers; an error of its own is an answer too."""
        answer = self.lambdas.invoke(
            FunctionName=f"tessera-{function}", Payload=json.dumps(event).encode()
        )
        content = json.loads(answer["Payload"].read() or b"null")
        return {"failed": str(content)} if "FunctionError" in answer else content

    def drop(self, folder: str = "") -> dict[str, Any]:
        """A new manifest of four pictures, where no rule sees it."""
        self.number += 1
        pictures = f"s3://{INBOX}/{self.project}"
        lines = [json.dumps({"source-ref": f"{pictures}/00{n}.png"}) for n in range(4)]
        key = f"{folder or self.project}/{self.number}-{id(self)}.txt"
        put = self.cloud.client("s3").put_object(
            Bucket=INBOX, Key=key, Body="\n".join(lines).encode()
        )
        etag = put["ETag"].strip('"')
        return {"bucket": INBOX, "key": key, "version-id": put["VersionId"], "etag": etag}

    def grouped(self, execution: str = "one", *, versioned: bool = True) -> Any:
        """A new run; where the inbox keeps no versions, its record names none of its manifest."""
        event = {"manifest": self.drop(), "execution": execution}
        grouped = self.invoke("group-images", event | {"started": "2026-10-05T08:00:00Z"})
        if not versioned:
            uri = f"{grouped['home']}run.json"
            record = json.loads(self.cloud.storage.get(uri))
            record["manifest"]["version-id"] = ""
            self.cloud.storage.put(uri, json.dumps(record).encode())
        return grouped

    def request(self, grouped: dict[str, Any]) -> dict[str, Any]:
        """The request that opens the run's only job."""
        request = dict(grouped["request"])
        manifest = f"{grouped['home']}round-1/tasks-000.manifest"
        source = {"S3DataSource": {"ManifestS3Uri": manifest}}
        request["InputConfig"] = request["InputConfig"] | {"DataSource": source}
        return request | {"LabelingJobName": f"{grouped['run']}-r1-000"}

    def http(
        self, method: str, path: str, body: Any = None, *, worker: str = "", groups: str = ""
    ) -> Any:
        """The portal's response to a worker's request."""
        claims = {"sub": worker, "email": f"{worker}@example.com", "cognito:groups": groups}
        return self.invoke(
            "serve-portal",
            {
                "version": "2.0",
                "rawPath": path,
                "headers": {"content-type": "application/json"},
                "requestContext": {
                    "authorizer": {"jwt": {"claims": claims}} if worker else {},
                    "http": {"method": method, "path": path},
                    "stage": "$default",
                },
                "body": None if body is None else json.dumps(body),
                "isBase64Encoded": False,
            },
        )

    def answer(self, job: str, worker: str) -> list[Any]:
        """What the portal says while a worker answers every page of a job."""
        statuses = []
        for _ in range(3):
            claimed = self.http("POST", f"/jobs/{job}/claims", {}, worker=worker)
            statuses.append(claimed.get("statusCode", claimed))
            if claimed.get("statusCode") != 200:
                break
            claim = json.loads(claimed["body"])
            page = html_of(claim["page"])
            statuses.append(sorted({status(address) for address in pictures(page)}))
            task = f"/jobs/{job}/tasks/{claim['task']}"
            statuses.append(self.http("PUT", f"{task}/lease", worker=worker).get("statusCode"))
            answers = {i: {n: n == "7" for n in LABELS_ASKED} for i in indexes(page)}
            saved = self.http("PUT", f"{task}/answer", answers, worker=worker)
            statuses.append(saved["statusCode"])
        return statuses


def html_of(page: Any) -> str:
    """A claim's page as text."""
    return page if isinstance(page, str) else json.dumps(page)


def pictures(page: str) -> list[str]:
    """The addresses of the pictures on a page."""
    addresses = re.findall(r'src="(http[^"]+)"', page)
    return [address.replace("&amp;", "&").replace("&#38;", "&") for address in addresses]


def indexes(page: str) -> list[str]:
    """The images of a page, by the names of their radios."""
    return sorted(set(re.findall(r'type="?radio"?[^>]*\bname="?([\d-]+)', page))) or sorted(
        set(re.findall(r'\bname="?([\d-]+)"?[^>]*type="?radio', page))
    )


def status(address: str) -> int:
    """The status that a browser gets for an address."""
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


# ── What each function does ──────────────────────────────────────────────────────────────────────


def group_images(world: World) -> Iterator[Any]:
    """A new manifest, one without settings, one that is taken over, a second round, no manifest."""
    grouped = world.grouped(world.dead)
    yield grouped.get("outcome", grouped)
    without = {"manifest": world.drop("nowhere"), "execution": "x", "started": "2026-10-05"}
    yield world.invoke("group-images", without).get("error", "no error")
    if "home" not in grouped:
        return
    record = read(world, f"{grouped['home']}run.json")
    taken = {"manifest": record["manifest"], "execution": "another", "started": "2026-10-05"}
    over = world.invoke("group-images", taken)
    yield over.get("outcome", over)
    again = {"run": grouped["run"], "home": grouped["home"], "round": 2, "execution": "nobody"}
    yield world.invoke("group-images", again).get("outcome", "failed")
    ignored = {"bucket": {"name": INBOX}, "object": {"key": f"{world.project}/notes.xml"}}
    yield world.invoke("group-images", {"detail": ignored}).get("outcome", "failed")


def forget(world: World, job: str) -> None:
    """Take all that the portal's table knows of a job, as if it was lost."""
    table, dynamodb = world.cloud.outputs["PortalTableName"], world.cloud.client("dynamodb")
    partition, entry = job_key(job).partition, open_key(job)
    for item in dynamodb.scan(TableName=table)["Items"]:
        if item["pk"]["S"].startswith(partition) or item["sk"]["S"] == entry.sort:
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


def collect_answers(world: World) -> Iterator[Any]:
    """A payload that lies in the labels bucket."""
    uri = f"s3://{LABELS}/runs/grants/payload.json"
    world.cloud.storage.put(uri, b"[]")
    event = {"labelAttributeName": "label", "payload": {"s3Uri": uri}}
    yield world.invoke("collect-answers", event)


def open_job(world: World) -> Iterator[Any]:
    """A new job, the same again, one whose offsets are lost, a full one, one that cannot be."""
    request = world.request(world.grouped())
    opened = world.invoke("open-job", {"request": request, "token": "no-such-token"})
    yield opened.get("status", opened)
    yield world.invoke("open-job", {"request": request}).get("status", "failed")
    yield world.answer(request["LabelingJobName"], WORKERS[0])
    yield world.answer(request["LabelingJobName"], WORKERS[1])
    again = world.invoke("open-job", {"request": request, "token": "no-such-token"})
    yield again.get("status", again)
    forget(world, request["LabelingJobName"])
    job = world.invoke("open-job", {"request": request})
    yield job.get("status", job)
    bad = request | {"LabelingJobName": "-"}
    yield "LabelingJobName" in str(world.invoke("open-job", {"request": bad, "token": "none"}))


def close_job(world: World) -> Iterator[Any]:
    """A job with answers is closed; so is one that waits for its end; the schedule comes by."""
    request = world.request(world.grouped())
    token = {"request": request, "token": "no-such-token"}
    world.invoke("open-job", token)
    world.answer(request["LabelingJobName"], WORKERS[0])
    job = {"job": request["LabelingJobName"], "request": request}
    closed = world.invoke("close-job", job)
    yield closed.get("LabelCounters", closed)
    for _ in range(2):
        world.invoke("open-job", {"request": world.request(world.grouped())})
    yield world.invoke("close-job", {"due": True}).keys()


def consolidate_labels(world: World) -> Iterator[Any]:
    """A run with answers, and one without versions that was stopped before any came."""
    for versioned in (True, False):
        grouped = world.grouped(versioned=versioned)
        request = world.request(grouped)
        world.invoke("open-job", {"request": request})
        if versioned:
            world.answer(request["LabelingJobName"], WORKERS[0])
        world.invoke("close-job", {"job": request["LabelingJobName"], "request": request})
        event = {"run": grouped["run"], "home": grouped["home"], "round": 1, "execution": "one"}
        event |= {"started": "2026-10-05T08:00:00Z"}
        ended = [{"name": request["LabelingJobName"], "status": "Stopped"}]
        result = world.invoke("consolidate-labels", event | {"jobs": ended})
        yield result.get("outcome", result)


def embed_images(world: World) -> Iterator[Any]:
    """A block of pictures becomes rows, and the rows become the run's embeddings."""
    settings = SETTINGS | {"guesses": {"encoder": "pixels"}}
    world.cloud.storage.put(
        f"s3://{INBOX}/{world.project}/embedded/labeling.json", json.dumps(settings).encode()
    )
    manifest = world.drop(f"{world.project}/embedded")
    event = {"manifest": manifest, "execution": "one", "started": "2026-10-05"}
    home = world.invoke("group-images", event)["home"]
    yield world.invoke("embed-images", {"home": home, "block": 0})
    yield world.invoke("embed-images", {"home": home})
    yield world.cloud.storage.exists(f"{home}embeddings.npy")


def serve_portal(world: World) -> Iterator[Any]:
    """Two workers label a job to its end, one gives a page back, a requester looks on."""
    grouped = world.grouped()
    world.cloud.storage.put(f"{grouped['home']}round-1/gold.csv", b"index,label\n0,7\n")
    request = world.request(grouped)
    job = request["LabelingJobName"]
    world.invoke("open-job", {"request": request, "token": "no-such-token"})
    yield world.http("GET", "/jobs", worker="ann").get("statusCode")
    claimed = world.http("POST", f"/jobs/{job}/claims", {}, worker="eve")
    yield claimed.get("statusCode")
    if claimed.get("statusCode") == 200:
        task = json.loads(claimed["body"])["task"]
        lease = f"/jobs/{job}/tasks/{task}/lease"
        yield world.http("DELETE", lease, worker="eve").get("statusCode")
    yield world.answer(job, WORKERS[0])
    for path in (f"/jobs/{job}", f"/jobs/{job}/tasks/0"):
        seen = world.http("GET", path, worker="rita", groups="[requesters]")
        yield seen.get("statusCode")
    yield world.answer(job, WORKERS[1])
    yield from review(world, grouped)


def review(world: World, grouped: Any) -> Iterator[Any]:
    """A reviewer opens a run's review and decides its one picture."""
    source = f"s3://{INBOX}/{world.project}/000.png"
    picture = Picture(index=0, source=source, label=None, confidence=0.0, answers=())
    open_review(
        world.cloud.ports,
        Review(
            run=grouped["run"], home=grouped["home"], title="", question="",
            choices=tuple(LABELS_ASKED), pictures=(picture,),
        ),
    )  # fmt: skip
    path = f"/reviews/{grouped['run']}"
    for method, place, body in (
        ("PUT", f"{path}/images/0", {"label": "7"}),
        ("GET", path, None),
    ):
        seen = world.http(method, place, body, worker="rita", groups="[reviewers]")
        yield seen.get("statusCode")


def read(world: World, uri: str) -> Any:
    """A JSON object in S3."""
    return json.loads(world.cloud.storage.get(uri))


EXERCISES: dict[str, Callable[[World], Iterator[Any]]] = {
    "group-images": group_images,
    "collect-answers": collect_answers,
    "open-job": open_job,
    "close-job": close_job,
    "embed-images": embed_images,
    "consolidate-labels": consolidate_labels,
    "serve-portal": serve_portal,
}


# ── Taking grants away ───────────────────────────────────────────────────────────────────────────


def grants(world: World, function: str) -> list[Grant]:
    """Every action that the function's own policies grant, and those of roles that it assumes."""
    configured = world.lambdas.get_function_configuration(FunctionName=f"tessera-{function}")
    held = role_grants(world, function, configured["Role"])
    assumed = [grant.resource for grant in held if grant.action == "sts:AssumeRole"]
    return held + [grant for role in assumed for grant in role_grants(world, function, role)]


def role_grants(world: World, function: str, arn: str) -> list[Grant]:
    """Every action that a role's own policies grant to the function."""
    iam, role = world.cloud.client("iam"), arn.rpartition("/")[2]
    held = []
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for number, statement in enumerate(listed(document["Statement"])):
            held += [
                Grant(function, role, policy, number, action, resource)
                for action in listed(statement["Action"])
                for resource in listed(statement["Resource"])
            ]
    return held


def listed(value: Any) -> list[Any]:
    """A list of one, where IAM allows a value for it."""
    return value if isinstance(value, list) else [value]


def plain(resource: str) -> str:
    """A resource without what differs from stack to stack."""
    name = resource.split(":", 5)[-1]
    return re.sub(r"-[0-9A-F]{10,}$", "", name)


@contextmanager
def without(world: World, grant: Grant) -> Iterator[None]:
    """A `with` block in which the role lacks the grant."""
    iam = world.cloud.client("iam")
    place = {"RoleName": grant.role, "PolicyName": grant.policy}
    document = iam.get_role_policy(**place)["PolicyDocument"]
    less = json.loads(json.dumps(document))
    statements = listed(less["Statement"])
    whole = statements.pop(grant.statement)
    actions = [action for action in listed(whole["Action"]) if action != grant.action]
    places = [name for name in listed(whole["Resource"]) if name != grant.resource]
    statements.append(whole | {"Action": actions})
    statements.append(whole | {"Action": grant.action, "Resource": places})
    less["Statement"] = [s for s in statements if s["Action"] and s["Resource"]]
    if less["Statement"]:
        iam.put_role_policy(**place, PolicyDocument=json.dumps(less))
    else:
        iam.delete_role_policy(**place)
    if grant.action == "sts:AssumeRole":  # a process that has assumed the role goes on as it
        configured = world.lambdas.get_function_configuration(
            FunctionName=f"tessera-{grant.function}"
        )
        world.lambdas.update_function_configuration(
            FunctionName=f"tessera-{grant.function}", Environment=configured["Environment"]
        )
    try:
        yield
    finally:
        iam.put_role_policy(**place, PolicyDocument=json.dumps(document))


def exercised(world: World, function: str) -> list[str]:
    """What the function's exercise gives, as text that is the same when all is well."""
    outcomes = []
    try:
        for outcome in EXERCISES[function](world):
            outcomes.append(re.sub(r"[0-9a-f]{8,}", "…", str(outcome)))
    except Exception as error:
        outcomes.append(f"{type(error).__name__}: {error}")
    return outcomes


def difference(well: list[str], now: list[str]) -> str:
    """The first outcome that is not as it should be, in one line; nothing if all are."""
    if now == well:
        return ""
    pairs = zip(well, [*now, *[""] * len(well)], strict=False)
    for expected, actual in pairs:
        if expected != actual:
            return reason(actual) or f"{expected} became {actual or 'nothing'}"
    return "more happened"


def reason(outcome: str) -> str:
    """The service's own refusal in an outcome."""
    denied = re.search(r"(\w+) when calling the (\w+) operation", outcome)
    named = re.search(r"\((\w+)\) when calling the (\w+) operation", outcome) or denied
    return f"{named[2]}: {named[1]}" if named else ""


def excuse(grant: Grant) -> str:
    """Why no run shows the want of a grant, if that is so."""
    own = f"{grant.function} {grant.action}"
    keys = (grant.action, own, f"{own} {plain(grant.resource)}")
    return next((NOT_SEEN[key] for key in keys if key in NOT_SEEN), "")


def removals(world: World, function: str) -> Iterator[tuple[Grant, str]]:
    """Each grant of the function with what fails without it; nothing if nothing does."""
    well = exercised(world, function)
    if bad := [outcome for outcome in well if "'failed'" in outcome]:
        raise AssertionError(f"{function} does not work with all its grants: {bad}")
    for grant in grants(world, function):
        if excuse(grant):
            yield grant, ""
            continue
        with without(world, grant):
            yield grant, difference(well, exercised(world, function))


def row(grant: Grant, failed: str) -> str:
    """The table's line about a grant."""
    failure = failed.replace("|", "\\|")[:160] or f"*{excuse(grant) or 'nothing'}*"
    return f"| {grant.function} | `{grant.action}` | `{plain(grant.resource)}` | {failure} |"


def table(lines: list[str]) -> Iterator[str]:
    """The page with what fails without each grant."""
    yield "# Each grant, taken away\n"
    yield "Written by `python tests/cloud/grants.py`: on the local stack with IAM enforced, every"
    yield "action of every function's role is taken away in turn, the function is put through its"
    yield "work, and what then fails is noted. What nothing needs has no business here. Among the"
    yield "rights of serve-portal are those of the role that it assumes to show pictures.\n"
    yield "| function | action | on | without it |\n|---|---|---|---|"
    yield from lines
    yield "\nThe embedded AWS does not check the roles of the state machine and of Ground Truth:"
    yield "tests read them against what the states call and what Ground Truth's guide asks for."


@contextmanager
def enforcing(home: Path) -> Iterator[LocalStack]:
    """A local stack with IAM enforced and Tessera deployed to it."""
    stack = LocalStack(home, free_port())
    stack.start(auth=True)
    try:
        stack.deploy()
        yield stack
    finally:
        stack.stop()


def main(functions: list[str]) -> None:
    """Write the table; with functions named, their lines of it alone."""
    lines = TABLE.read_text("utf-8").splitlines() if TABLE.exists() else []
    with tempfile.TemporaryDirectory() as folder, enforcing(Path(folder)) as stack:
        for name in functions or EXERCISES:
            world = World(stack, project=name)
            lines = [line for line in lines if not line.startswith(f"| {name} |")]
            for grant, failed in removals(world, name):
                lines.append(row(grant, failed))
                print(lines[-1], flush=True)
    kept = sorted(line for line in lines if line.startswith(tuple(f"| {n} |" for n in EXERCISES)))
    TABLE.write_text("\n".join(table(kept)) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
