"""`tessera deploy`: the commands that it runs, and their parameters."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from scripts.deployment import read_template
from tessera.commands.deploy import (
    IN_ENVIRONMENT,
    LONGEST_DEFAULT,
    LONGEST_STACK_NAME,
    LONGEST_TOGETHER,
    identity,
    plan,
    template_parameters,
)
from tessera.exits import Refused
from tessera.stack.cloud import Cloud


def test_deploy_prints_its_commands_with_the_parameters(tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text('{"labels": ["a \\"b\\"", "c"]}')

    parameters = template_parameters(settings, ("s3://pets/",), "", ("LogLevel=DEBUG",))
    deployment = plan(Cloud(region="eu-west-1", stack_name="mine", profile="prod"), parameters)
    build, deploying = deployment.commands

    assert build[1] == "build"
    assert " ".join(deploying[2:4]) == "--stack-name mine"
    assert "--profile prod --region eu-west-1" in " ".join(deploying)
    assert 'ImageObjects="arn:aws:s3:::pets/*"' in deploying
    assert 'LogLevel="DEBUG"' in deploying
    assert any(word.startswith('DefaultSettings="{\\"labels\\"') for word in deploying)


def test_deploy_names_only_parameters_that_the_template_has(tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text('{"labels": ["cat", "dog"]}')

    parameters = template_parameters(
        settings, ("pets",), "arn:aws:kms:eu-west-1:123456789012:key/1", ()
    )

    assert len(parameters) == 3
    assert parameters.keys() <= read_template()["Parameters"].keys()


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-central-2", "arn:aws:s3:::pets/*"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:::pets/*"),
        ("us-gov-east-1", "arn:aws-us-gov:s3:::pets/*"),
    ],
)
def test_buckets_with_images_are_named_in_the_partition_of_the_region(
    region: str, arn: str
) -> None:
    partition = Cloud(region=region).partition
    assert template_parameters(None, ("pets",), "", (), partition) == {"ImageObjects": arn}


def test_settings_too_long_for_an_environment_are_refused_with_what_to_do(tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text('{"labels": ["cat", "dog"], "instructions": "%s"}' % ("x" * 3000))

    with pytest.raises(Refused, match=r"beside the manifests instead, as labeling\.json"):
        template_parameters(settings, (), "", ())
    assert read_template()["Parameters"]["DefaultSettings"]["MaxLength"] == LONGEST_DEFAULT


@given(st.lists(st.text("abc-é", min_size=3, max_size=63), max_size=60), st.integers(0, 1000))
def test_parameters_too_long_for_an_environment_are_refused_with_what_to_do(
    buckets: list[str], hosts: int
) -> None:
    more = (f"PageHosts={'h' * hosts}",)
    length = hosts + len(",".join(f"arn:aws:s3:::{bucket}/*" for bucket in buckets).encode())
    if length <= LONGEST_TOGETHER:
        template_parameters(None, tuple(buckets), "", more)
        return
    with pytest.raises(Refused, match=rf"{length:,} bytes together.*labeling\.json"):
        template_parameters(None, tuple(buckets), "", more)


LONGEST = {"AWS::StackName": LONGEST_STACK_NAME, "LabelsBucket": 63, "KmsKeyArn": 100}
LONGEST_ARN = len("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:") + 64
"""Lengths of what an environment's variables name, at their longest."""


def test_an_environment_has_room_for_parameters_at_their_longest() -> None:
    template = read_template()
    own = template["Resources"]["GroupImagesFunction"]["Properties"]["Environment"]["Variables"]
    variables = template["Globals"]["Function"]["Environment"]["Variables"] | own
    length = sum(len(name) for name in variables) + LONGEST_TOGETHER
    for value in variables.values():
        match value:
            case {"Ref": name} if name in IN_ENVIRONMENT:
                pass
            case {"Ref": name} if name in template["Parameters"] and name != "KmsKeyArn":
                length += len(str(template["Parameters"][name]["Default"]))
            case {"Ref": name}:
                length += LONGEST[name]
            case {"GetAtt": _}:
                length += LONGEST_ARN
            case str():
                length += len(value)
    assert length <= 4096


def test_a_stacks_name_leaves_room_for_the_functions_names() -> None:
    names = [
        resource["Properties"]["FunctionName"]
        for resource in read_template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    longest = max(len(str(name).rpartition("}")[2].rstrip("'\"})")) for name in names)
    assert longest + LONGEST_STACK_NAME <= 64

    plan(Cloud(stack_name="x" * LONGEST_STACK_NAME), {})
    with pytest.raises(click.UsageError, match="45 characters at most"):
        plan(Cloud(stack_name="x" * (LONGEST_STACK_NAME + 1)), {})


def test_who_would_deploy_is_asked_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        who = identity(Cloud(region="us-gov-west-1"))
    assert who["Account"] == "123456789012"
    assert who["Arn"].split(":")[1] == "aws-us-gov"
    assert who["Region"] == "us-gov-west-1"
