"""House rules of the template, held by reading it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as {tag: value}."""


Loader.add_multi_constructor("!", lambda loader, tag, node: {tag: construct(loader, node)})


def construct(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


SOURCE = (ROOT / "template.yaml").read_text("utf-8")
TEMPLATE: dict[str, Any] = yaml.load(SOURCE, Loader)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of_type(kind: str) -> list[str]:
    return [name for name, resource in RESOURCES.items() if resource["Type"] == kind]


FUNCTIONS = of_type("AWS::Serverless::Function")
BUCKETS = of_type("AWS::S3::Bucket")


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_has_a_default_a_description_and_a_group(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    assert {"Type", "Default", "Description"} <= parameter.keys()
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [group for group in groups if name in group["Parameters"]], f"{name} is in no group"


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_every_output_says_what_one_does_with_it(name: str) -> None:
    assert TEMPLATE["Outputs"][name]["Description"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_name_of_its_file_and_a_description(name: str) -> None:
    properties = RESOURCES[name]["Properties"]
    stem = properties["Handler"].removesuffix(".handler")
    assert name == "".join(word.capitalize() for word in stem.split("_")) + "Function"
    assert (ROOT / "functions" / f"{stem}.py").exists()
    assert properties["Description"]


def test_all_functions_are_built_once_from_one_folder_and_log_to_one_place() -> None:
    common = TEMPLATE["Globals"]["Function"]
    assert common["CodeUri"] == "functions/"
    assert common["LoggingConfig"]["LogGroup"] == {"Ref": "FunctionsLog"}
    own = [name for name in FUNCTIONS if "CodeUri" in RESOURCES[name]["Properties"]]
    assert own == []


@pytest.mark.parametrize("name", of_type("AWS::Logs::LogGroup"))
def test_logs_are_not_kept_for_ever(name: str) -> None:
    assert "RetentionInDays" in RESOURCES[name]["Properties"]


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_private_encrypted_versioned_retained_and_reached_by_tls_only(
    name: str,
) -> None:
    bucket = RESOURCES[name]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert {"BucketEncryption", "LifecycleConfiguration", "OwnershipControls"} <= properties.keys()
    policy = RESOURCES[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    assert policy[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_wildcard_resource_has_its_reason_beside_it() -> None:
    lines = SOURCE.splitlines()
    for number, line in enumerate(lines):
        if line.strip() == 'Resource: "*"':
            statement = lines[max(0, number - 11) : number]
            reasons = [text for text in statement if "- Effect: Allow #" in text]
            assert reasons, f"line {number + 1} of template.yaml grants all resources, unexplained"


def test_no_region_account_or_partition_is_written_into_the_template() -> None:
    assert not re.search(r"arn:aws:(?!s3:::my-images)", SOURCE)
    assert not re.search(r"\b(us|eu|ap)-[a-z]+-\d\b|\b\d{12}\b", SOURCE)


def test_the_state_machine_gets_every_name_it_asks_for_and_no_other() -> None:
    asked = set(
        re.findall(r"\$\{([A-Za-z]+)\}", (ROOT / "statemachine/labeling.asl.json").read_text())
    )
    machine = RESOURCES["LabelingStateMachine"]["Properties"]
    assert set(machine["DefinitionSubstitutions"]) == asked


def test_an_undelivered_drop_is_kept() -> None:
    rule = RESOURCES["LabelingStateMachine"]["Properties"]["Events"]["ManifestDropped"]
    assert {"RetryPolicy", "DeadLetterConfig"} <= rule["Properties"].keys()
