"""House rules of the template, checked by reading it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.loaders import Loader

from scripts import monitoring
from scripts.deployment import read_template
from tessera.stack.checks import BLOCKS
from tessera.tiling.ask_round import OUTCOMES
from tessera.tiling.report.metrics import METRICS

ROOT = Path(__file__).parent.parent


SOURCE = (ROOT / "template.yaml").read_text("utf-8")
TEMPLATE = read_template()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of_type(kind: str) -> list[str]:
    return [name for name, resource in RESOURCES.items() if resource["Type"] == kind]


FUNCTIONS = of_type("AWS::Serverless::Function")
BUCKETS = of_type("AWS::S3::Bucket")
AWS_MODULES = sorted((ROOT / "functions" / "tessera" / "aws").rglob("*.py"))


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


COMMON_VARIABLES = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
READ_BY_LIBRARIES = {"AWS_ENDPOINT_URL", "AWS_LAMBDA_EXEC_WRAPPER"} | {
    name for name in COMMON_VARIABLES if name.startswith("POWERTOOLS_")
}


def unread(variables: set[str], paths: Iterable[Path]) -> set[str]:
    """Return the environment variables that no code at these paths names."""
    words = set(re.findall(r"\w+", "".join(path.read_text("utf-8") for path in paths)))
    return variables - words - READ_BY_LIBRARIES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_given_no_variable_that_it_does_not_read(name: str) -> None:
    properties = RESOURCES[name]["Properties"]
    variables = set(properties.get("Environment", {}).get("Variables", {}))
    handler = ROOT / "functions" / f"{properties['Handler'].removesuffix('.handler')}.py"
    assert unread(variables, [handler, *AWS_MODULES]) == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_opentelemetrys_layer_and_its_wrapper_are_where_a_handler_traces(name: str) -> None:
    properties = RESOURCES[name]["Properties"]
    handler = ROOT / "functions" / f"{properties['Handler'].removesuffix('.handler')}.py"
    traces = "@traced" in handler.read_text("utf-8")
    assert ("TracingLayer" in str(properties.get("Layers", ""))) == traces
    assert ("AWS_LAMBDA_EXEC_WRAPPER" in str(properties.get("Environment", ""))) == traces


def test_what_all_functions_and_the_samples_are_given_is_read() -> None:
    environment = json.loads((ROOT / "events" / "environment.json").read_text("utf-8"))
    variables = COMMON_VARIABLES | set(environment["Parameters"])
    assert unread(variables, (ROOT / "functions").rglob("*.py")) == set()


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
    source = re.sub(r"!Equals \[!Ref AWS::Region, [a-z0-9-]+\]", "", SOURCE)  # the test below
    assert not re.search(r"\b(us|eu|ap|ca)-[a-z]+-\d\b|\b\d{12}\b", source)


PARTITION_DOMAIN = re.compile(r"https://[^\s\"']*\bamazonaws\.com\b")
"""Address in the commercial partition; names of services end so in every one."""


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*.py")), ids=lambda p: p.name)
def test_no_function_names_a_domain_of_one_partition(path: Path) -> None:
    assert not PARTITION_DOMAIN.search(path.read_text("utf-8"))
    assert not PARTITION_DOMAIN.search(SOURCE)


PLACEHOLDERS = ("arn:aws:sagemaker:portal:000000000000:", "arn:aws:iam::000000000000:")
"""Beginnings of the portal's made-up ARNs, which AWS never sees."""


def test_no_arn_is_of_one_partition() -> None:
    """Policies and requests with another partition's ARN are refused, as in GovCloud."""
    texts = {
        node.value
        for folder in ("functions", "tessera", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if "arn:aws:" in (source := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    code = {text for text in texts if "arn:aws:" in text and ">>>" not in text}
    assert {text for text in code if not text.startswith(PLACEHOLDERS)} == set()


def values_in(node: Any) -> Iterator[Any]:
    """Yield every value of a part of the template, those inside of others, too."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from values_in(child)


def texts_in(node: Any) -> Iterator[str]:
    """Yield every text of a part of the template."""
    return (value for value in values_in(node) if isinstance(value, str))


STACKS_OWN = re.compile(r"\$\{AWS::StackName\}[\w-]*")
NAMES = {"FunctionName", "Name", "LogGroupName", "UserPoolName"}


def test_rights_are_by_the_stacks_name_only_where_a_resource_is_named_so() -> None:
    """CloudFormation cuts a long stack's name in those that it makes up, and rights would miss."""
    given = {
        name[0]
        for resource in RESOURCES.values()
        for key, value in resource.get("Properties", {}).items()
        if key in NAMES
        for text in texts_in(value)
        for name in [STACKS_OWN.findall(text)]
        if name
    }
    meant = {
        name
        for policy in policies_in(RESOURCES)
        for text in texts_in(policy)
        if "arn:" in text
        for name in STACKS_OWN.findall(text)
    }
    assert given
    assert meant
    assert meant <= given


def test_every_role_is_made_under_the_accounts_boundary_if_it_has_one() -> None:
    """Accounts of many organizations let nobody make a role without one."""
    bound = {"If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    assert TEMPLATE["Globals"]["Function"]["PermissionsBoundary"] == bound
    having_roles = [*of_type("AWS::IAM::Role"), *of_type("AWS::Serverless::StateMachine")]
    assert len(having_roles) == 4
    for name in having_roles:
        assert RESOURCES[name]["Properties"]["PermissionsBoundary"] == bound, name
    assert not [name for name in FUNCTIONS if "Role" in RESOURCES[name]["Properties"]]


def test_a_list_of_layers_is_a_list_whatever_the_parameters_are() -> None:
    """`sam local invoke` reads no `AWS::NoValue` there."""
    for name in FUNCTIONS:
        layers = RESOURCES[name]["Properties"].get("Layers", [])
        ways = layers["If"][1:] if isinstance(layers, dict) else [layers]
        assert all(isinstance(way, list) for way in ways), name


def test_sign_ins_of_an_organization_go_through_the_hosts_of_the_partition() -> None:
    variables = RESOURCES["ServePortalFunction"]["Properties"]["Environment"]["Variables"]
    address, parts = variables["SIGN_IN_DOMAIN"]["If"][1]["Sub"]
    assert address == "https://${SignInDomain}.${host}.${AWS::Region}.amazoncognito.com"
    assert parts == {"host": {"If": ["InGovCloud", "auth-fips", "auth"]}}


def test_govclouds_lambda_is_asked_for_no_log_format_that_it_has_not() -> None:
    logging = TEMPLATE["Globals"]["Function"]["LoggingConfig"]
    assert logging["LogFormat"] == {"If": ["InGovCloud", "Text", "JSON"]}


def test_doctor_knows_how_many_executions_a_run_takes_to_embed_pictures() -> None:
    assert TEMPLATE["Parameters"]["MaxConcurrentBlocks"]["Default"] == BLOCKS


def test_the_state_machine_gets_every_name_it_asks_for_and_no_other() -> None:
    asked = set(
        re.findall(r"\$\{([A-Za-z]+)\}", (ROOT / "statemachine/labeling.asl.json").read_text())
    )
    machine = RESOURCES["LabelingStateMachine"]["Properties"]
    assert set(machine["DefinitionSubstitutions"]) == asked


def test_where_ground_truth_is_not_no_state_asks_for_its_integration() -> None:
    """Step Functions may refuse a state machine with a resource that a region does not have."""
    machine = RESOURCES["LabelingStateMachine"]["Properties"]["DefinitionSubstitutions"]
    calls = ["sagemaker:createLabelingJob.sync", "aws-sdk:sagemaker:createLabelingJob"]
    assert machine["CreateLabelingJob"] == {"If": ["HasGroundTruth", *calls]}

    def regions(condition: Any) -> set[str]:
        if "Condition" in condition:
            return regions(TEMPLATE["Conditions"][condition["Condition"]])
        if "Equals" in condition:
            return {condition["Equals"][1]}
        return set().union(*map(regions, condition["Or"]))

    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    functions = shapes["HumanTaskConfig"]["members"]["PreHumanTaskLambdaArn"]["documentation"]
    listed = set(re.findall(r"arn:aws:lambda:([a-z0-9-]+):", functions))
    assert regions({"Condition": "HasGroundTruth"}) == listed


def test_an_undelivered_drop_is_kept() -> None:
    rule = RESOURCES["LabelingStateMachine"]["Properties"]["Events"]["ManifestDropped"]
    assert {"RetryPolicy", "DeadLetterConfig"} <= rule["Properties"].keys()


# ── Watching ─────────────────────────────────────────────────────────────────────────────────────

MONITORING: dict[str, Any] = yaml.safe_load(monitoring.FILE.read_text("utf-8"))
RUNBOOK = (ROOT / "docs" / "operations.md").read_text("utf-8")


def anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as its host makes them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", text.lower()).replace(" ", "-") for text in headings}


def test_the_nested_template_is_the_one_that_its_source_writes() -> None:
    assert monitoring.FILE.read_text("utf-8") == monitoring.text()


def test_the_nested_template_is_given_what_it_asks_for() -> None:
    given = RESOURCES["Monitoring"]["Properties"]["Parameters"]
    assert set(given) == set(MONITORING["Parameters"])
    named = monitoring.names_in(json.dumps(MONITORING))
    assert named <= set(MONITORING["Parameters"]) | {"AWS::Region"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_an_alarm_and_keeps_what_it_could_not_handle(name: str) -> None:
    properties = RESOURCES[name]["Properties"]
    called = properties["FunctionName"]["Sub"].removeprefix("${AWS::StackName}-")
    assert called in monitoring.FUNCTIONS
    assert f"{name.removesuffix('Function')}Errors" in MONITORING["Resources"]
    failed = TEMPLATE["Globals"]["Function"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert failed["Destination"] == {"GetAtt": "UnhandledEvents.Arn"}


LINES: list[tuple[str, str, dict[str, str]]] = [
    line
    for alarm in monitoring.alarms().values()
    for line in (alarm[1:4], *filter(None, [alarm.besides]))
] + [line for charts in monitoring.dashboard().values() for chart in charts for line in chart.lines]
WATCHED = {(namespace, metric, frozenset(dimensions)) for namespace, metric, dimensions in LINES}


@pytest.mark.parametrize(("namespace", "metric", "dimensions"), sorted(WATCHED, key=str))
def test_a_metric_is_watched_by_dimensions_that_its_service_publishes(
    namespace: str, metric: str, dimensions: frozenset[str]
) -> None:
    published = [
        sets
        for (space, pattern), sets in monitoring.DIMENSIONS.items()
        if space == namespace and fnmatchcase(metric, pattern)
    ]
    assert dimensions in published[0]


@pytest.mark.parametrize("watched", sorted(WATCHED, key=str), ids=lambda watched: watched[1])
def test_no_metric_is_shared_with_another_stack_of_the_account(
    watched: tuple[str, str, frozenset[str]],
) -> None:
    """One stack's refused manifests would else be taken off the failed runs of another."""
    own = [
        value
        for line in LINES
        if (line[0], line[1], frozenset(line[2])) == watched
        for value in line[2].values()
    ]
    assert own
    assert all("${" in value for value in own)
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_a_manifest_that_is_refused_wakes_nobody_who_is_to_mend_the_stack() -> None:
    """Its author is told by the run's own topic; what else fails still rings."""
    failed = MONITORING["Resources"]["RunsFailed"]["Properties"]
    names = [part.get("MetricStat", {}).get("Metric", {}).get("MetricName")
             for part in failed["Metrics"]]  # fmt: skip
    assert names == ["ExecutionsFailed", "ManifestsRefused", None]
    assert failed["Metrics"][2] == {"Id": "others", "Expression": "watched - FILL(besides, 0)"}
    assert OUTCOMES["refused"] == "ManifestsRefused"


def test_a_metric_that_the_state_machine_cannot_send_is_not_waited_for() -> None:
    machine = json.loads((ROOT / "statemachine" / "labeling.asl.json").read_text("utf-8"))
    watched = {metric for _, metric, _ in WATCHED}
    assert ("ExecutionsTimedOut" in watched) == ("TimeoutSeconds" in machine)


@pytest.mark.parametrize("name", monitoring.alarms())
def test_an_alarm_leads_to_a_section_of_the_runbook(name: str) -> None:
    assert monitoring.alarms()[name].runbook in anchors(RUNBOOK)


@pytest.mark.parametrize("name", monitoring.QUERIES)
def test_a_saved_query_is_in_the_runbook(name: str) -> None:
    assert f"`{name}`" in RUNBOOK


@pytest.mark.parametrize("name", of_type("AWS::SQS::Queue"))
def test_a_queue_is_encrypted_keeps_for_two_weeks_and_has_an_alarm(name: str) -> None:
    properties = RESOURCES[name]["Properties"]
    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == 14 * 24 * 3600
    watched = [alarm.dimensions.get("QueueName") for alarm in monitoring.alarms().values()]
    assert f"${{{name}Name}}" in watched


def test_every_measure_of_a_run_is_on_the_dashboard() -> None:
    charted = {
        line[1]
        for charts in monitoring.dashboard().values()
        for chart in charts
        for line in chart.lines
        if line[0] == "Tessera"
    }
    assert charted | {"ImagesRejected"} == set(METRICS)


# ── Rights ───────────────────────────────────────────────────────────────────────────────────────


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a resource's own policies, without those with a condition."""
    every: list[dict[str, Any]] = []
    for policy in RESOURCES[name]["Properties"].get("Policies", []):
        every += policy.get("Statement", policy.get("PolicyDocument", {}).get("Statement", []))
    return [statement for statement in every if "Effect" in statement]


GRANTING = [*FUNCTIONS, "LabelingStateMachine", "LabelingRole", "PicturesRole"]


@pytest.mark.parametrize("name", GRANTING)
def test_no_action_is_granted_by_a_pattern(name: str) -> None:
    for statement in statements(name):
        actions = statement["Action"]
        assert "*" not in str(actions), f"{name} grants {actions}"


ROWS = re.compile(r"\| ([a-z-]+) \| `([^`]+)` \| `([^`]+)` \|")
DEPLOYED = {
    "LabelsBucket.Arn": "tessera-labels",
    "InboxBucket.Arn": "tessera-inbox",
    "PortalTable.Arn": "table/tessera-PortalTable",
    "WorkerPool.Arn": "userpool",
    "PicturesRole.Arn": "role/tessera-PicturesRole",
}
"""Resources as `docs/grants.md` names them, on the local stack."""


def resources_of(node: Any) -> Iterator[str]:
    """Yield the resources of a statement, as they are on the local stack."""
    match node:
        case str():
            yield node
        case list():
            for each in node:
                yield from resources_of(each)
        case {"GetAtt": name}:
            yield DEPLOYED[name]
        case {"If": [_, _, otherwise]}:  # neither on AWS nor with images or keys of its own
            yield from resources_of(otherwise)
        case {"Sub": text}:
            named = re.sub(r"\$\{(\w+\.Arn)\}", lambda name: DEPLOYED[name[1]], text)
            named = named.replace("${AWS::StackName}", "tessera")
            yield re.sub(r"^arn:.*\}:(?=function|execution)", "", named)


def test_each_right_of_a_function_has_its_row_among_the_grants_and_no_row_is_of_another() -> None:
    rights = set()
    for name in FUNCTIONS:
        called = RESOURCES[name]["Properties"]["FunctionName"]["Sub"].partition("}-")[2]
        if called == "prepare-task":  # it reads and writes nothing
            continue
        rights.add((called, "sqs:SendMessage", "tessera-UnhandledEvents"))  # SAM's own
        assuming = f"{name}Role" in str(RESOURCES["AssumePicturesRole"]["Properties"]["Roles"])
        if assuming:
            rights.add((called, "sts:AssumeRole", DEPLOYED["PicturesRole.Arn"]))
        rights |= {
            (called, action, resource)
            for holder in (name, *(["PicturesRole"] if assuming else []))
            for statement in statements(holder)
            for action in listed(statement["Action"])
            for resource in resources_of(statement["Resource"])
        }
    text = re.sub(r"`userpool/[^`]*`", "`userpool`", (ROOT / "docs" / "grants.md").read_text())
    assert {row.groups() for row in ROWS.finditer(text)} == rights


def test_the_state_machine_may_do_what_its_states_do() -> None:
    """Step Functions' own role is not checked by the embedded AWS, so it is read here."""
    asl = (ROOT / "statemachine/labeling.asl.json").read_text("utf-8")
    granted = {
        action
        for statement in statements("LabelingStateMachine")
        for action in listed(statement["Action"])
    }
    needed = set()
    for resource in re.findall(r'"Resource": "arn:\$\{Partition\}:states:::([^"]+)"', asl):
        needed |= NEEDS[resource.removesuffix(".waitForTaskToken")]
    if '"${PartsMode}"' in asl:  # turns of a distributed map are executions of the same machine
        needed |= {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}
    assert {action for action in granted if not action.startswith(("logs:", "xray:"))} == needed


def test_the_role_of_labeling_jobs_has_what_ground_truth_asks_for_and_no_more() -> None:
    granted = {
        action for statement in statements("LabelingRole") for action in listed(statement["Action"])
    }
    assert granted == {
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "lambda:InvokeFunction",
        "cloudwatch:PutMetricData",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    }


SYNC = {"events:PutTargets", "events:PutRule", "events:DescribeRule"}
NEEDS = {
    "lambda:invoke": {"lambda:InvokeFunction"},
    "sns:publish": {"sns:Publish"},
    "events:putEvents": {"events:PutEvents"},
    "aws-sdk:sagemaker:describeLabelingJob": {"sagemaker:DescribeLabelingJob"},
    "aws-sdk:sagemaker:stopLabelingJob": {"sagemaker:StopLabelingJob"},
    "${CreateLabelingJob}": {
        "sagemaker:CreateLabelingJob",
        "sagemaker:DescribeLabelingJob",
        "sagemaker:StopLabelingJob",
        "sagemaker:AddTags",
        "sagemaker:ListTags",
        "iam:PassRole",
        *SYNC,
    },
}
"""What each kind of state calls in the end."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


OF_PROJECTS = {
    "ConsolidateLabelsFunction": "${LabelsBucket.Arn}/projects/*",
    "ServePortalFunction": "${LabelsBucket.Arn}/projects/*/qualification/*",
}
"""What functions keep of people, over the runs of a project."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_and_writes_objects_only_where_its_work_lies(name: str) -> None:
    for statement in statements(name):
        for action in listed(statement["Action"]):
            if action == "s3:PutObject":
                for resource in listed(statement["Resource"]):
                    of_project = OF_PROJECTS.get(name) == resource["Sub"]
                    assert of_project or resource["Sub"].startswith("${LabelsBucket.Arn}/runs/*")
            if action.startswith("s3:Delete"):
                pytest.fail(f"{name} may delete objects")


def test_pictures_are_read_by_a_role_that_may_do_nothing_else_and_by_no_other_right() -> None:
    read, copies = statements("PicturesRole")
    assert read["Action"] == copies["Action"] == "s3:GetObject"
    assert "LabelsBucket" not in str(read["Resource"])
    assert copies["Resource"] == {"Sub": "${LabelsBucket.Arn}/runs/*/qualification/*"}
    (trust,) = RESOURCES["PicturesRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    trusted = [role["GetAtt"] for role in trust["Principal"]["AWS"]]
    assert trusted == ["ServePortalFunctionRole.Arn", "EmbedImagesFunctionRole.Arn"]
    own = [
        resource
        for name in ("ServePortalFunction", "EmbedImagesFunction")
        for statement in statements(name)
        if any(action.startswith("s3:") for action in listed(statement["Action"]))
        for resource in listed(statement["Resource"])
    ]
    assert "InboxBucket" not in str(own)
    assert "ImageObjects" not in str(own)


def readable_labels(function: str) -> list[str]:
    """Return the patterns of keys in the labels bucket that a function may read."""
    return [
        resource["Sub"].removeprefix("${LabelsBucket.Arn}/")
        for statement in statements(function)
        if "s3:GetObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


@pytest.mark.parametrize("name", ["run.json", "round-1/jobs/pets-1-r1-000/job.json", "labels.json"])
def test_the_portal_reads_no_record_of_a_run_and_no_token_of_an_execution(name: str) -> None:
    patterns = readable_labels("ServePortalFunction")
    assert any(fnmatchcase("runs/pets-1/page.liquid.html", pattern) for pattern in patterns)
    assert not any(fnmatchcase(f"runs/pets-1/{name}", pattern) for pattern in patterns)


NOT_OF_EMBEDDING = ["run.json", "round-1/tasks-000.manifest", "round-1/jobs/j/annotations/a.json"]


@pytest.mark.parametrize("name", NOT_OF_EMBEDDING)
def test_what_decodes_pictures_reads_and_writes_nothing_of_a_run_but_embeddings(name: str) -> None:
    patterns = readable_labels("EmbedImagesFunction")
    assert any(fnmatchcase("runs/pets-1/embedding/rows-000.npy", pattern) for pattern in patterns)
    assert not any(fnmatchcase(f"runs/pets-1/{name}", pattern) for pattern in patterns)


def test_only_the_state_machine_may_pass_a_role_and_only_to_ground_truth() -> None:
    passing = [
        (name, statement)
        for name in GRANTING
        for statement in statements(name)
        if "iam:PassRole" in listed(statement["Action"])
    ]
    assert [name for name, _ in passing] == ["LabelingStateMachine"]
    condition = passing[0][1]["Condition"]
    assert condition == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_nothing_but_the_transport_rule_depends_on_where_the_stack_runs() -> None:
    conditional = {name for name, kind in RESOURCES.items() if kind.get("Condition") == "OnAws"}
    assert conditional == {"InboxBucketPolicy", "LabelsBucketPolicy", "Monitoring"}


def test_old_versions_of_files_are_not_kept_for_ever_but_as_long_as_any_run_may_read_them() -> None:
    for name in BUCKETS:
        rules = RESOURCES[name]["Properties"]["LifecycleConfiguration"]["Rules"]
        days = [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules[1:]]
        assert days == [90]  # a run is open for 31 days at most


def test_what_anybody_may_ask_has_a_share_of_its_own() -> None:
    stage = RESOURCES["PortalStage"]["Properties"]
    open_share = stage["RouteSettings"]["$default"]["ThrottlingRateLimit"]
    assert open_share <= stage["DefaultRouteSettings"]["ThrottlingRateLimit"] / 5
    (key,) = (
        each["Properties"]["RouteKey"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::ApiGatewayV2::Route"
        and "AuthorizationType" not in each["Properties"]
    )
    assert key == "$default"


def test_a_worker_is_one_person_by_any_spelling_and_cannot_take_another_name() -> None:
    pool, client = (
        RESOURCES["WorkerPool"]["Properties"],
        RESOURCES["WorkerPoolClient"]["Properties"],
    )
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert "email" not in client["WriteAttributes"]
    # The one that an organization's email is written by gives no token for writing it.
    federated = RESOURCES["FederatedClient"]["Properties"]
    assert federated["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert "aws.cognito.signin.user.admin" not in federated["AllowedOAuthScopes"]
    message = str(pool["AdminCreateUserConfig"]["InviteMessageTemplate"])
    assert {"${portal}", "{username}", "{####}"} <= set(re.findall(r"\$?\{[^{}]+\}", message))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_who_tells_a_missing_object_from_a_forbidden_one_may_list_its_bucket(name: str) -> None:
    """S3 answers 403 instead of 404 where `ListBucket` is missing."""
    source = RESOURCES[name]["Properties"]["Handler"].removesuffix(".handler")
    if "if_missing=" not in (ROOT / "functions" / f"{source}.py").read_text("utf-8"):
        return
    listed = [
        str(statement["Resource"])
        for policy in RESOURCES[name]["Properties"]["Policies"]
        for statement in policy.get("Statement", [])
        if "s3:ListBucket" in statement["Action"]
    ]
    assert "InboxBucket" in "".join(listed), f"{name} may not list the inbox"


def test_functions_of_custom_tasks_are_called_by_their_tag_alone() -> None:
    """Neither portal nor closing may call what does not carry the stack's tag."""
    for name in ("ServePortalFunction", "CloseJobFunction"):
        grants = [
            grant
            for policy in RESOURCES[name]["Properties"]["Policies"]
            if isinstance(policy, dict) and "Statement" in policy
            for grant in policy["Statement"]
            if "lambda:InvokeFunction" in str(grant["Action"])
        ]
        (grant,) = grants
        assert list(grant["Condition"]["StringEquals"]) == ["aws:ResourceTag/tessera-annotation"]
    role = RESOURCES["AnnotationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert list(role[0]["Condition"]["StringEquals"]) == ["aws:PrincipalTag/tessera-annotation"]


def policies_in(node: Any) -> Iterator[Any]:
    """Yield every policy of the template: whatever has statements."""
    if isinstance(node, dict):
        if "Statement" in node:
            yield node
        for child in node.values():
            yield from policies_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from policies_in(child)


def test_every_policy_names_the_language_that_it_is_written_in() -> None:
    """Without a version AWS reads a policy as of 2008, which knows no variables."""
    policies = list(policies_in(RESOURCES))
    assert len(policies) > 15
    assert {policy.get("Version") for policy in policies} == {"2012-10-17"}


def test_the_tool_reads_no_output_that_the_template_does_not_have() -> None:
    """The embedded AWS's fakes have outputs of their own, which would hide a wrong name."""
    sources = [*(ROOT / "tessera").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    pattern = re.compile(r"""\boutputs\[["'](\w+)["']\]""")
    names = {name for path in sources for name in pattern.findall(path.read_text("utf-8"))}
    of_smoke_test = {"SourceBucket"}  # of the smoke test's own stack beside this one
    assert {"Inbox", "Labels"} <= names
    assert names - of_smoke_test <= set(TEMPLATE["Outputs"])
