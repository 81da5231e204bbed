"""Every request to AWS is one that AWS knows, by its name and its parameters.

A client's operations are made when it is, of any type to a checker, and what only a live account is
asked by no other test: a misspelled one would be seen there first.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from scripts import monitoring

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("functions", "tessera", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if ".client(" in path.read_text("utf-8")
)
"""Modules that make a client."""
OF_EVERY_CLIENT = {"meta", "exceptions", "get_paginator", "get_waiter"}


class Call(NamedTuple):
    """Something asked of a service's client, with its parameters where it is called at once."""

    line: int
    service: str
    name: str
    call: ast.Call | None


@cache
def client(service: str) -> Any:
    """Return a client that asks nobody."""
    return boto3.client(
        service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )  # type: ignore[call-overload]  # its stubs know a service only by a literal name


def service_of(node: ast.AST) -> str:
    """Return the service of `….client("service")`; nothing of anything else."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service)), *_]
        ):
            return service
    return ""


def clients_in(function: ast.AST) -> dict[str, str]:
    """Return the names, as they are written, that a function gives to clients."""
    names: dict[str, str] = {}
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = [*zip(target.elts, node.value.elts, strict=True)]
            names |= {ast.unparse(to): service_of(what) for to, what in pairs if service_of(what)}
    return names


def calls(source: str) -> Iterator[Call]:
    """Yield what a module asks of clients that it makes itself."""
    module = ast.parse(source)
    called = {id(node.func): node for node in ast.walk(module) if isinstance(node, ast.Call)}
    scopes = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    for scope in scopes:
        names = {} if isinstance(scope, ast.Module) else clients_in(scope)
        for node in ast.walk(scope):
            if isinstance(node, ast.Attribute):
                made = service_of(node.value) if isinstance(scope, ast.Module) else ""
                if service := made or (names and names.get(ast.unparse(node.value), "")):
                    yield Call(node.lineno, service, node.attr, called.get(id(node)))


def problems(source: str) -> list[str]:
    """Return what AWS would not know in a module's requests."""
    return sorted({problem for call in calls(source) if (problem := problem_of(call))})


def problem_of(call: Call) -> str:
    """Return what AWS would not know in one request; nothing if it knows all of it."""
    one, where = client(call.service), f"line {call.line}: {call.service}.{call.name}"
    if call.name in OF_EVERY_CLIENT:
        arguments = call.call.args if call.call else []
        named = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
        if call.name == "get_paginator" and not all(one.can_paginate(name) for name in named):
            return f"{where} has no pages of {named}"
        return ""
    operations = one.meta.method_to_api_mapping
    if call.name not in operations:
        return "" if hasattr(one, call.name) else f"{where} is no operation"
    if call.call is None:
        return ""
    shape = one.meta.service_model.operation_model(operations[call.name]).input_shape
    given = {word.arg for word in call.call.keywords}
    known, needed = (set(shape.members), set(shape.required_members)) if shape else (set(), set())
    unknown = given - known - {None}
    missing = set() if None in given else needed - given
    return f"{where}: {unknown=} {missing=}" if unknown or missing else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_asks_aws_for_what_there_is(path: Path) -> None:
    assert problems(path.read_text("utf-8")) == []


def test_most_requests_are_seen() -> None:
    services = {call.service for path in SOURCES for call in calls(path.read_text("utf-8"))}
    assert {"sts", "cloudformation", "kms", "sagemaker", "events", "logs"} <= services


@pytest.mark.parametrize(
    "wrong",
    [
        "sts = cloud.client('sts')\n    sts.get_calleridentity()",
        "cloud.client('kms').describe_key(Key='1')",
        "cloud.client('kms').describe_key()",
        "s3, name = cloud.client('s3'), 'pets'\n    s3.delete_object(Bucket=name, Keys='1')",
        "self.states = cloud.client('stepfunctions')\n    self.states.list_execution()",
        "cloud.client('s3').get_paginator('get_object')",
    ],
)
def test_a_request_that_aws_does_not_know_is_seen(wrong: str) -> None:
    assert problems(f"def ask():\n    {wrong}\n")


# ── Commands that a person pastes ────────────────────────────────────────────────────────────────

OF_EVERY_COMMAND = {
    "region", "profile", "query", "output", "endpoint-url", "no-paginate", "max-items", "page-size",
    "cli-input-json",
}  # fmt: skip
OWN = {
    ("logs", "tail"): {"since", "format", "filter-pattern", "follow"},
    ("s3", "cp"): {"metadata-directive", "recursive", "metadata", "storage-class"},
    ("s3", "ls"): {"recursive"},
    ("s3", "rb"): {"force"},
    ("configure", "sso"): set(),
    ("sso", "login"): set(),
    ("cloudformation", "deploy"): {"template-file", "stack-name", "capabilities"},
}
"""Commands that AWS's tool has besides the operations, with the options that are used here."""


def commands(text: str) -> Iterator[str]:
    """Yield the commands of AWS's tool in a text, those inside of others, too."""
    inner = re.compile(r"\$\((aws [^()]*)\)")
    yield from inner.findall(text)
    text = inner.sub("X", text)
    for start in re.finditer(r"(?<![\w/.-])aws (?=[a-z-])", text):
        rest = text[start.start() :] + "\n"
        ends = (end.start() for end in re.finditer(r"(?<!\\)\n|`", rest))
        for end in ends:  # the first at which no quote is open
            try:
                yield shlex.join(shlex.split(rest[:end].replace("\\\n", " "), comments=True))
            except ValueError:
                continue
            break


def command_problem(command: str) -> str:
    """Return what AWS's tool does not know in a command; nothing if it knows all of it."""
    _, *words = shlex.split(command)
    while words and words[0].startswith("--"):
        words = words[2:]
    service, operation, *rest = [*words, "", ""]
    options = {word[2:] for word in rest if re.fullmatch(r"--[a-z][a-z0-9-]+", word)}
    if (service, operation) in OWN:
        unknown = options - OWN[service, operation] - OF_EVERY_COMMAND
        return f"{command}: {unknown=}" if unknown else ""
    if not operation:
        return ""
    try:
        one = client({"s3api": "s3"}.get(service, service))
    except UnknownServiceError:
        return f"{command}: no service"
    made = one.meta.method_to_api_mapping.get(operation.replace("-", "_"))
    if not made:
        return f"{command}: no operation"
    shape = one.meta.service_model.operation_model(made).input_shape
    members = {xform_name(name, "-") for name in (shape.members if shape else ())}
    if (service, operation) == ("sns", "subscribe"):  # `endpoint-url` is every command's
        members.add("notification-endpoint")
    unknown = {option for option in options if option.removeprefix("no-") not in members}
    unknown -= OF_EVERY_COMMAND
    return f"{command}: {unknown=}" if unknown else ""


@pytest.mark.parametrize("name", monitoring.alarms())
def test_an_alarm_wakes_nobody_without_a_command_that_shows_what_happened(name: str) -> None:
    text = monitoring.description(monitoring.alarms()[name])
    pasted = list(commands(re.sub(r"\$\{[A-Za-z:]+\}", "X", text)))
    assert pasted
    assert [problem for command in pasted if (problem := command_problem(command))] == []
    assert all("--region" in command for command in pasted)
    longest = {"StateMachineArn": 150, "RunbookUrl": 200, "AWS::Region": 20}
    filled = re.sub(r"\$\{([A-Za-z:]+)\}", lambda name: "x" * longest.get(name[1], 80), text)
    assert len(filled) <= 1024  # of CloudWatch


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_a_page_names_no_command_that_aws_has_not(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [problem for command in commands(text) if (problem := command_problem(command))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "aws stepfunctions list-execution --status-filter FAILED",
        "aws sqs receive-message --queue-name pets",
        "aws sqs receive-message --queue-url \"$(aws sqs get-queue-url --name pets)\"",
        "aws step-functions list-executions",
        "aws --profile ann logs tail pets --until now",
    ],
)  # fmt: skip
def test_a_command_that_aws_has_not_is_seen(wrong: str) -> None:
    assert [command for command in commands(f"Do `{wrong}`.") if command_problem(command)]
