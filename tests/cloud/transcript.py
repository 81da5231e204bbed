"""A full local deployment with IAM enforced, as it went, and the dashboard of its run.

`python tests/cloud/transcript.py` writes `docs/local-deployment.md` and `docs/dashboard.svg`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from scripts import monitoring
from tessera.simulation import example
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LocalStack, free_port

TRANSCRIPT = ROOT / "docs" / "local-deployment.md"
PICTURE = ROOT / "docs" / "dashboard.svg"
RUNS = 2


def transcript(stack: LocalStack) -> Iterator[str]:
    """The lines of the page, while it happens."""
    yield "# A local deployment with IAM enforced\n"
    yield "Written by `python tests/cloud/transcript.py` as it happened: the embedded AWS checks"
    yield "every call of every function against the roles of `template.yaml`.\n"
    began = time.monotonic()
    stack.start(auth=True)
    yield f"## Deployed\n\n`sam deploy` against {place(stack.endpoint)}, "
    stack.deploy()
    yield f"{time.monotonic() - began:.0f} s:\n"
    yield "| resource | type | status |\n|---|---|---|"
    cloudformation = stack.cloud.client("cloudformation")
    for made in cloudformation.describe_stack_resources(StackName="tessera")["StackResources"]:
        name, kind = made["LogicalResourceId"], made["ResourceType"]
        yield f"| {name} | {kind} | {made['ResourceStatus']} |"
    yield "\n## A role is held to its grants\n"
    yield "Deleting a training manifest as the consolidation's role:\n"
    yield f"```\n{refused(stack.cloud)}\n```\n"
    for number in range(1, RUNS + 1):
        console = Console(record=True, width=160, file=StringIO())
        with tempfile.TemporaryDirectory() as folder:
            example.run(
                stack, out=Path(folder), workers=4, error_rate=0.05, seed=number, console=console
            )
        printed = [line.rstrip() for line in place(console.export_text()).splitlines()]
        lines = "\n".join(line for line in printed if " …" not in line).strip()
        yield f"## Run {number}\n\n```\n{lines}\n```\n"
    PICTURE.write_text(picture(stack.cloud), "utf-8")
    yield "## The dashboard of these runs\n\n![The dashboard](dashboard.svg)"


def place(text: str) -> str:
    """The text without what differs from machine to machine."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4566", text)
    text = re.sub(r" --port \d+ --home \S+", "", text)
    return re.sub(r"/tmp/\w+", "out", text)


def refused(cloud: Cloud) -> str:
    """What S3 says to the consolidation's role when it deletes an object."""
    import boto3
    from botocore.exceptions import ClientError

    iam, lambdas = cloud.client("iam"), cloud.client("lambda")
    configured = lambdas.get_function_configuration(FunctionName="tessera-consolidate-labels")
    role = iam.get_role(RoleName=configured["Role"].rpartition("/")[2])["Role"]
    iam.update_assume_role_policy(
        RoleName=role["RoleName"],
        PolicyDocument=json.dumps(trusting_all(role["AssumeRolePolicyDocument"])),
    )
    keys = cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="transcript")
    s3 = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name=cloud.region,
        aws_access_key_id=keys["Credentials"]["AccessKeyId"],
        aws_secret_access_key=keys["Credentials"]["SecretAccessKey"],
        aws_session_token=keys["Credentials"]["SessionToken"],
    )
    try:
        s3.delete_object(Bucket="tessera-labels", Key="runs/any/training.manifest")
    except ClientError as error:
        return re.sub(r"-[0-9A-F]{10,}", "", str(error))
    raise AssertionError("the role may delete objects")


def trusting_all(document: dict[str, Any]) -> dict[str, Any]:
    """The trust policy with the account's root beside Lambda."""
    root = {"AWS": "arn:aws:iam::000000000000:root"}
    statement = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
    return document | {"Statement": [*document["Statement"], statement]}


# ── The dashboard ────────────────────────────────────────────────────────────────────────────────

Points = list[tuple[float, float]]


def series(cloud: Cloud) -> dict[tuple[str, str, str], Points]:
    """Points by namespace, metric and function, from what the local run logged.

    The embedded AWS does not turn logs into metrics as CloudWatch does, so this does.
    """
    points: dict[tuple[str, str, str], Points] = {}

    def add(namespace: str, metric: str, which: str, when: float, value: float) -> None:
        points.setdefault((namespace, metric, which), []).append((when, value))

    entries = messages(cloud)
    names = functions_of(entries)
    for when, message in entries:
        if report := REPORT.search(message):
            name = names.get(report["id"]) or BY_MEMORY.get(report["memory"], "")
            add("AWS/Lambda", "Duration", name, when, float(report["took"]))
            add("AWS/Lambda", "Errors", name, when, 0)
            if name == "serve-portal":
                add("AWS/ApiGateway", "Count", "", when, 1)
        if not message.startswith("{"):
            continue
        entry = json.loads(message)
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                for value in listed(entry[metric["Name"]]):
                    add("Tessera", metric["Name"], "", when, value)
        if entry.get("message") == "refused":
            add("AWS/ApiGateway", "4xx", "", when, 1)
        if entry.get("message") == "request failed":
            add("AWS/ApiGateway", "5xx", "", when, 1)
        if entry.get("errorType"):
            add("AWS/Lambda", "Errors", names.get(entry.get("requestId", ""), ""), when, 1)
    machine = cloud.outputs["StateMachineArn"]
    listing = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    for execution in listing:
        add("AWS/States", "ExecutionsStarted", "", execution["startDate"].timestamp(), 1)
        if execution["status"] != "RUNNING":
            end = f"Executions{execution['status'].title().replace('_', '')}"
            add("AWS/States", end, "", execution["stopDate"].timestamp(), 1)
    return points


REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\s+Duration: (?P<took>[\d.]+) ms"
    r".*Memory Size: (?P<memory>\d+) MB"
)
BY_MEMORY = {"1024": "serve-portal", "256": "prepare-task"}
"""Two functions log nothing of their own when all is well; their reports tell by the memory."""


def messages(cloud: Cloud) -> list[tuple[float, str]]:
    """What the functions logged, with the time."""
    pages = (
        cloud.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName="/aws/lambda/tessera")
    )
    return [
        (event["timestamp"] / 1000, event["message"].strip())
        for page in pages
        for event in page["events"]
    ]


def functions_of(entries: list[tuple[float, str]]) -> dict[str, str]:
    """Which function a request was for, from the lines that say both."""
    names = {}
    for _, message in entries:
        if message.startswith("{") and "function_request_id" in message:
            entry = json.loads(message)
            name = entry["function_name"].removeprefix("tessera-")
            names[entry["function_request_id"]] = name
    return names


def listed(value: Any) -> list[Any]:
    """A list of one, where EMF allows a value for it."""
    return value if isinstance(value, list) else [value]


WIDTH, HEIGHT, GAP = 300, 150, 16
COLORS = ("#2563eb", "#16a34a", "#dc2626", "#d97706", "#7c3aed", "#0891b2", "#64748b")


def picture(cloud: Cloud) -> str:
    """The dashboard as an image: the same questions and charts, drawn from the local run."""
    data = series(cloud)
    moments = [when for points in data.values() for when, _ in points]
    first, last = min(moments), max(max(moments), min(moments) + 60)
    parts, top = [], 0
    for question, charts in monitoring.dashboard().items():
        parts.append(f'<text x="0" y="{top + 18}" class="q">{escape(question)}</text>')
        for column, chart in enumerate(charts):
            left = column * (WIDTH + GAP)
            parts.append(panel(chart, data, left, top + 28, first, last))
        top += HEIGHT + 28 + 2 * GAP
    width = 3 * WIDTH + 2 * GAP
    style = (
        "text{font:11px system-ui,sans-serif;fill:#334155}.q{font-size:16px;font-weight:600}"
        ".t{font-weight:600}.b{fill:#fff;stroke:#e2e8f0}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -8 {width + 24} {top + 8}" '
        f'role="img"><title>The dashboard of a local run</title><style>{style}</style>'
        f'<rect x="-12" y="-8" width="{width + 24}" height="{top + 8}" fill="#f8fafc"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def panel(
    chart: monitoring.Chart,
    data: dict[tuple[str, str, str], Points],
    left: float,
    top: float,
    first: float,
    last: float,
) -> str:
    """One chart: its lines over time, each with its total or its mean."""
    drawn = [
        f'<rect class="b" x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="t" x="{left + 10}" y="{top + 18}">{escape(chart.title)}</text>',
    ]
    lines = []
    for namespace, metric, dimensions in chart.lines:
        function = dimensions.get("FunctionName", "").removeprefix("${Prefix}-")
        source = metric
        if (namespace, metric) == ("AWS/ApiGateway", "Latency"):
            namespace, source, function = "AWS/Lambda", "Duration", "serve-portal"
        points = data.get((namespace, source, function), [])
        lines.append(
            (function if len(chart.lines) > 4 else metric, binned(points, chart, first, last))
        )
    highest = max((value for _, bins in lines for value in bins if value is not None), default=0)
    for number, (name, bins) in enumerate(lines):
        color = COLORS[number % len(COLORS)]
        drawn += [
            f'<circle cx="{left + 10 + (WIDTH - 20) * place_ / (len(bins) - 1):.1f}" '
            f'cy="{top + 74 - 44 * (value / (highest or 1)):.1f}" r="2.5" fill="{color}"/>'
            for place_, value in enumerate(bins)
            if value is not None
        ]
        row, column = number % 4, number // 4
        values = [value for value in bins if value is not None]
        total = sum(values) if chart.statistic == "Sum" else max(values, default=0)
        amount = f"{total:.4g}{chart.unit and ' ' + chart.unit}" if values else "–"
        text = f"{name} {amount}"
        x, y = left + 10 + column * 145, top + 92 + row * 15
        drawn.append(f'<text x="{x}" y="{y}" style="fill:{color}">{escape(text)}</text>')
    return "".join(drawn)


def binned(
    points: Points, chart: monitoring.Chart, first: float, last: float
) -> list[float | None]:
    """The points in twenty-four stretches of time, by the chart's statistic."""
    bins: list[list[float]] = [[] for _ in range(24)]
    for when, value in points:
        bins[min(23, max(0, int(24 * (when - first) / (last - first))))].append(value)
    return [statistic(values, chart.statistic) if values else None for values in bins]


def statistic(values: list[float], name: str) -> float:
    """A sum, a mean or a percentile."""
    if name == "Sum":
        return sum(values)
    if name == "Average":
        return sum(values) / len(values)
    return sorted(values)[int((len(values) - 1) * float(name[1:]) / 100)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        local = LocalStack(Path(folder), free_port())
        try:
            text = "\n".join(transcript(local))
        finally:
            local.stop()
    TRANSCRIPT.write_text(text.replace(", \n", ", ") + "\n", "utf-8")
    print(Counter(line[:2] for line in text.splitlines())["| "], "resources;", TRANSCRIPT)
