"""Write what watches a deployed stack: alarms, the dashboard and saved queries.

`python -m scripts.monitoring` writes them to `monitoring.yaml`, which the template nests, so that
whoever reads the template need not read a dashboard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "monitoring.yaml"

FUNCTIONS = {
    "group-images": "a manifest is not grouped",
    "open-job": "a job does not open on the portal",
    "close-job": "a job's answers are not written out",
    "consolidate-labels": "answers do not become labels",
    "embed-images": "pictures are not embedded, so that runs go on without a model",
    "prepare-task": "pages do not reach the workers",
    "collect-answers": "submitted answers are not packed",
    "serve-portal": "workers meet errors on the portal",
}
"""Functions by their names in the stack, with what their errors mean."""


REGION = "--region ${AWS::Region}"
ERRORS = (
    "aws logs tail ${FunctionsLogName} --since 1h --format short --filter-pattern "
    """'{ $.level = "ERROR" || $.record.status = "timeout" || $.record.status = "error" }' """
    + REGION
)
DOOR = f"aws logs tail /aws/vendedlogs/apis/${{Prefix}}-portal --since 15m --format short {REGION}"
CONCURRENCY = f"aws lambda get-account-settings --query AccountLimit {REGION}"
TABLE = f"aws dynamodb describe-table --table-name ${{PortalTableName}} {REGION}"
"""Commands that show what an alarm is about, as they are pasted."""


def _runs(status: str) -> str:
    """Return the command that lists the newest executions of a status."""
    return (
        "aws stepfunctions list-executions --state-machine-arn ${StateMachineArn} "
        f"--status-filter {status} --max-items 5 --query 'executions[].[startDate,executionArn]' "
        f"--output text {REGION}"
    )


def _messages(queue: str) -> str:
    """Return the command that shows what lies in a queue, and leaves it there."""
    url = f"aws sqs get-queue-url --queue-name {queue} --query QueueUrl --output text {REGION}"
    return (
        f'aws sqs receive-message --queue-url "$({url})" --max-number-of-messages 10 '
        f"--visibility-timeout 0 --query 'Messages[].Body' --output text {REGION}"
    )


class Alarm(NamedTuple):
    """Metric that should stay at zero or below a bound; `runbook` is where to read on.

    `look` is the command that shows what happened: whoever is woken has the alarm's text alone.

    What `besides` counts, a namespace, a metric and its dimensions, is taken off before.
    """

    meaning: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    runbook: str
    look: str
    statistic: str = "Sum"
    above: float = 0
    minutes: int = 5
    besides: tuple[str, str, dict[str, str]] | None = None


def alarms() -> dict[str, Alarm]:
    """Return all alarms by their names in the stack."""
    return run_alarms() | portal_alarms() | function_alarms()


def run_alarms() -> dict[str, Alarm]:
    """Return the alarms on runs, and on events that were not delivered or handled."""
    machine = {"StateMachineArn": "${StateMachineArn}"}
    return {
        "RunsFailed": Alarm(
            "A run failed, and not for its manifest; the execution's error says why.",
            "AWS/States", "ExecutionsFailed", machine, "a-run-failed",
            _runs("FAILED"),
            # a quarter of an hour: the refusal is counted moments before its execution fails
            minutes=15, besides=("Tessera", "ManifestsRefused", {"service": "${Prefix}"}),
        ),
        "RunsThrottled": Alarm(
            "Step Functions delays executions: too many start or change state at once.",
            "AWS/States", "ExecutionThrottled", machine, "a-run-failed",
            _runs("RUNNING"),
        ),
        "DropsUndelivered": Alarm(
            "A dropped manifest did not start an execution; its event is kept in the queue.",
            "AWS/SQS", "ApproximateNumberOfMessagesVisible",
            {"QueueName": "${UndeliveredDropsName}"}, "a-drop-did-not-start-a-run",
            _messages("${UndeliveredDropsName}"), "Maximum",
        ),
        "Faults": Alarm(
            "A function or the portal met a fault of Tessera's own, which does not pass by itself.",
            "Tessera", "Faults", {"service": "${Prefix}"}, "a-fault-of-tesseras-own",
            ERRORS,
        ),
        "EventsUnhandled": Alarm(
            "A function failed on an asynchronous event, which is kept in the queue.",
            "AWS/SQS", "ApproximateNumberOfMessagesVisible",
            {"QueueName": "${UnhandledEventsName}"}, "an-event-was-not-handled",
            _messages("${UnhandledEventsName}"), "Maximum",
        ),
    }  # fmt: skip


def portal_alarms() -> dict[str, Alarm]:
    """Return the alarms on the portal's API, function and table."""
    api = {"ApiId": "${PortalApiId}"}
    return {
        "PortalErrors": Alarm(
            "The portal answered with more than a few errors of its own.",
            "AWS/ApiGateway", "5xx", api, "the-portal-answers-with-errors", ERRORS, above=5,
        ),
        "PortalThrottled": Alarm(
            "The account's concurrency is used up: requests of the portal are refused.",
            "AWS/Lambda", "Throttles", {"FunctionName": "${Prefix}-serve-portal"},
            "the-portal-is-slow", CONCURRENCY,
        ),
        "PortalSlow": Alarm(
            "Workers wait: one request in twenty takes more than three seconds.",
            "AWS/ApiGateway", "Latency", api, "the-portal-is-slow", DOOR, "p95", 3000, 15,
        ),
        "TableReadsThrottled": Alarm(
            "The portal's table refuses reads, as there are too many.",
            "AWS/DynamoDB", "ReadThrottleEvents", {"TableName": "${PortalTableName}"},
            "the-portal-is-slow", TABLE,
        ),
        "TableWritesThrottled": Alarm(
            "The portal's table refuses writes, as there are too many.",
            "AWS/DynamoDB", "WriteThrottleEvents", {"TableName": "${PortalTableName}"},
            "the-portal-is-slow", TABLE,
        ),
    }  # fmt: skip


def function_alarms() -> dict[str, Alarm]:
    """Return the alarms on errors of every function, and on those that may run out of time."""
    alarms = {}
    for name, meaning in FUNCTIONS.items():
        camel = camel_case(name)
        alarms[f"{camel}Errors"] = Alarm(
            f"{camel} fails: {meaning}.",
            "AWS/Lambda", "Errors", {"FunctionName": f"${{Prefix}}-{name}"},
            "a-function-fails", ERRORS,
        )  # fmt: skip
    for name in ("close-job", "consolidate-labels", "group-images"):
        camel = camel_case(name)
        alarms[f"{camel}NearItsLimit"] = Alarm(
            f"{camel} took more than 12 of the 15 minutes that it has.",
            "AWS/Lambda", "Duration", {"FunctionName": f"${{Prefix}}-{name}"},
            "a-function-fails", _runs("RUNNING"), "Maximum", 720_000, 15,
        )  # fmt: skip
    return alarms


def camel_case(name: str) -> str:
    """Return a function's name as the template writes it.

    >>> camel_case("close-job")
    'CloseJob'
    """
    return "".join(word.capitalize() for word in name.split("-"))


DIMENSIONS: dict[tuple[str, str], list[set[str]]] = {
    ("AWS/States", "Executions*"): [{"StateMachineArn"}],
    ("AWS/States", "ExecutionThrottled"): [{"StateMachineArn"}],
    ("AWS/SQS", "*"): [{"QueueName"}],
    ("AWS/ApiGateway", "*"): [{"ApiId"}, {"ApiId", "Stage"}],
    ("AWS/DynamoDB", "ThrottledRequests"): [{"TableName", "Operation"}],
    ("AWS/DynamoDB", "ReadThrottleEvents"): [{"TableName"}],
    ("AWS/DynamoDB", "WriteThrottleEvents"): [{"TableName"}],
    ("AWS/Lambda", "*"): [{"FunctionName"}, {"FunctionName", "Resource"}],
    ("Tessera", "*"): [{"service"}, {"service", "project"}],
}
"""Dimensions by which each metric is published, from its service's documentation.

CloudWatch accepts an alarm on any other set of them, but such an alarm stays silent for ever.
"""


# ── Saved queries of the logs ────────────────────────────────────────────────────────────────────

QUERIES = {
    "one-run": """fields @timestamp, function_name, message, round, job
| filter run = "RUN"
| sort @timestamp asc
| limit 1000""",
    "errors": """fields @timestamp, function_name, run, job, message, exception_name, exception
| filter level = "ERROR"
| sort @timestamp desc
| limit 200""",
    "refused-manifests": """fields @timestamp, refusal.error, refusal.cause, execution
| filter ispresent(refusal.error)
| sort @timestamp desc
| limit 200""",
    "one-job": """fields @timestamp, function_name, message, status
| filter job = "JOB"
| sort @timestamp asc
| limit 1000""",
    "slowest-requests": """filter @type = "REPORT" or type = "platform.report"
| stats max(record.metrics.durationMs) as slowest, pct(record.metrics.durationMs, 95) as p95,
  count(*) as requests by @logStream
| sort slowest desc
| limit 50""",
    "pace-by-order": """filter message = "labels consolidated" and ispresent(seconds_per_image)
| stats avg(seconds_per_image) as seconds, count(*) as consolidations by order""",
    "cold-starts": """filter cold_start = 1
| stats count(*) as starts by function_name, bin(1h)""",
}
"""Queries of Logs Insights over the functions' log group; words in capitals are to be filled in."""


# ── The dashboard ────────────────────────────────────────────────────────────────────────────────


class Chart(NamedTuple):
    """Chart of the dashboard: a title, and lines of (namespace, metric, dimensions)."""

    title: str
    lines: list[tuple[str, str, dict[str, str]]]
    statistic: str = "Sum"
    unit: str = ""


def per_service(*names: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return Tessera's own metrics, of all projects together, as lines of a chart."""
    return [("Tessera", name, {"service": "${Prefix}"}) for name in names]


def per_function(metric: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return a Lambda metric of every function as lines of a chart."""
    return [("AWS/Lambda", metric, {"FunctionName": f"${{Prefix}}-{name}"}) for name in FUNCTIONS]


def dashboard() -> dict[str, list[Chart]]:
    """Return the charts, three to a question."""
    machine = {"StateMachineArn": "${StateMachineArn}"}
    executions = [
        ("AWS/States", f"Executions{end}", machine)
        for end in ("Started", "Succeeded", "Failed", "Aborted")
    ]
    api = {"ApiId": "${PortalApiId}"}
    return {
        "Is it working?": [
            Chart("Runs", executions),
            Chart("Errors of the functions", per_function("Errors")),
            Chart(
                "Requests of the portal",
                [("AWS/ApiGateway", name, api) for name in ("Count", "4xx", "5xx")],
            ),
        ],
        "How far?": [
            Chart(
                "Images",
                per_service("ImagesIn", "ImagesLabeled", "ImagesLabeledByModel", "ImagesUnlabeled"),
            ),
            Chart("Pages and answers", per_service("Tasks", "Answers")),
            Chart("Seconds per image", per_service("SecondsPerImage"), "Average", "s"),
        ],
        "How good?": [
            Chart(
                "Agreement and confidence", per_service("Agreement", "Confidence"), "Average", "%"
            ),
            Chart("Images still unsure", per_service("UnsureShare"), "Average", "%"),
            Chart("Saved: hours of work, dollars of fees", per_service("HoursSaved", "CostSaved")),
        ],
        "How fast?": [
            Chart("The portal's latency", [("AWS/ApiGateway", "Latency", api)], "p95", "ms"),
            Chart("Duration of the functions", per_function("Duration"), "p95", "ms"),
            Chart("Throttles of the functions", per_function("Throttles")),
        ],
    }


def dashboard_body() -> dict[str, Any]:
    """Return the dashboard as CloudWatch reads it, with the stack's names to be filled in."""
    widgets: list[dict[str, Any]] = []
    top = 0
    for question, charts in dashboard().items():
        heading = {"markdown": f"## {question}", "background": "transparent"}
        widgets.append(
            {"type": "text", "x": 0, "y": top, "width": 24, "height": 1, "properties": heading}
        )
        for column, chart in enumerate(charts):
            place = {"x": 8 * column, "y": top + 1, "width": 8, "height": 6}
            widgets.append({"type": "metric", **place, "properties": _properties(chart)})
        top += 7
    return {"widgets": widgets}


def _properties(chart: Chart) -> dict[str, Any]:
    metrics = [
        [namespace, name, *(text for pair in dimensions.items() for text in pair)]
        for namespace, name, dimensions in chart.lines
    ]
    return {
        "title": chart.title,
        "region": "${AWS::Region}",
        "stat": chart.statistic,
        "period": 300,
        "metrics": metrics,
    } | ({"yAxis": {"left": {"label": chart.unit, "min": 0}}} if chart.unit else {})


# ── The nested template ──────────────────────────────────────────────────────────────────────────

HEADER = "# Written by `python -m scripts.monitoring`; a test holds the two together.\n"

PARAMETERS = {
    "Prefix": "What the functions' names begin with.",
    "StateMachineArn": "The state machine.",
    "UndeliveredDropsName": "The queue of drops that started no run.",
    "UnhandledEventsName": "The queue of events that a function gave up on.",
    "PortalApiId": "The portal's API.",
    "PortalTableName": "The portal's table.",
    "FunctionsLogName": "The functions' log group.",
    "AlarmsTopicArn": "Where alarms are sent.",
    "RunbookUrl": "Where docs/operations.md can be read.",
}


def template() -> dict[str, Any]:
    """Return the nested template."""
    resources: dict[str, Any] = {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {
                "DashboardName": {"Ref": "Prefix"},
                "DashboardBody": {"Fn::Sub": json.dumps(dashboard_body(), separators=(",", ":"))},
            },
        }
    }
    for name, alarm in alarms().items():
        resources[name] = {"Type": "AWS::CloudWatch::Alarm", "Properties": _alarm(name, alarm)}
    for name, query in QUERIES.items():
        resources[f"{camel_case(name)}Query"] = {
            "Type": "AWS::Logs::QueryDefinition",
            "Properties": {
                "Name": {"Fn::Sub": f"${{Prefix}}/{name}"},
                "LogGroupNames": [{"Ref": "FunctionsLogName"}],
                "QueryString": query,
            },
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms, dashboard and saved queries of a Tessera stack.",
        "Parameters": {
            name: {"Type": "String", "Description": text} for name, text in PARAMETERS.items()
        },
        "Resources": resources,
    }


def description(alarm: Alarm) -> str:
    """Return an alarm's text: what it means, the command that shows more, and where to read on."""
    return f"{alarm.meaning}\nLook: {alarm.look}\nThen: ${{RunbookUrl}}#{alarm.runbook}"


def _alarm(name: str, alarm: Alarm) -> dict[str, Any]:
    percentile = alarm.statistic.startswith("p")
    watched = {
        **_metric(alarm.namespace, alarm.metric, alarm.dimensions),
        ("ExtendedStatistic" if percentile else "Statistic"): alarm.statistic,
        "Period": alarm.minutes * 60,
    }
    if alarm.besides:
        watched = {"Metrics": list(_difference(alarm))}
    return {
        "AlarmName": {"Fn::Sub": f"${{Prefix}}-{name}"},
        "AlarmDescription": {"Fn::Sub": description(alarm)},
        **watched,
        "EvaluationPeriods": 1,
        "Threshold": alarm.above,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "AlarmsTopicArn"}],
        "OKActions": [{"Ref": "AlarmsTopicArn"}],
        # a percentile of few samples is one slow cold start, not a slow portal
        **({"EvaluateLowSampleCountPercentile": "ignore"} if percentile else {}),
    }


def _metric(namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    values = {
        key: {"Fn::Sub": value} if "${" in value else value for key, value in dimensions.items()
    }
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": key, "Value": value} for key, value in values.items()],
    }


def _difference(alarm: Alarm) -> Iterator[dict[str, Any]]:
    """Yield an alarm's metric less those besides, as CloudWatch's metric math takes them."""
    assert alarm.besides is not None
    sources = {
        "watched": (alarm.namespace, alarm.metric, alarm.dimensions),
        "besides": alarm.besides,
    }
    for name, source in sources.items():
        counted = {"Metric": _metric(*source), "Period": alarm.minutes * 60, "Stat": "Sum"}
        yield {"Id": name, "MetricStat": counted, "ReturnData": False}
    yield {"Id": "others", "Expression": "watched - FILL(besides, 0)"}


def yaml_lines(value: Any, indent: int = 0) -> Iterator[str]:
    """Yield a document as lines of YAML: mappings in blocks, all else as JSON, which is YAML."""
    for key, content in value.items():
        deep = isinstance(content, dict) and content and indent < 6 and "Fn::Sub" not in content
        if deep:
            yield f"{' ' * indent}{key}:"
            yield from yaml_lines(content, indent + 2)
        else:
            yield f"{' ' * indent}{key}: {json.dumps(content, ensure_ascii=False)}"


def text() -> str:
    """Return the content of `monitoring.yaml`."""
    return HEADER + "\n".join(yaml_lines(template())) + "\n"


def names_in(body: str) -> set[str]:
    """Return the names that a text leaves to CloudFormation to fill in."""
    return set(re.findall(r"\$\{([A-Za-z:]+)\}", body))


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
