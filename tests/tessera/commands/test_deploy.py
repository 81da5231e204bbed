"""`tessera deploy`: the commands that it runs, and their parameters."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from moto import mock_aws

from scripts.deployment import read_template
from tessera.commands.deploy import (
    LONGEST_DEFAULT,
    LONGEST_STACK_NAME,
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
