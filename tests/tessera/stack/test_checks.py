"""Checks of `tessera doctor`: each with facts that are good, and with every kind that is not."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from typing import Any

import pytest

from tessera.cli import COMMANDS
from tessera.stack.checks import (
    CHECKS,
    CORS,
    GOOD,
    LIMIT,
    UNKNOWN,
    WRONG,
    Alias,
    Facts,
    Fetch,
    Finding,
    ImageBucket,
    Key,
    Trigger,
    Unknown,
    WorkTeam,
    check_all,
)
from tessera.stack.cloud import Cloud

REGION = "ap-east-1"
CLOUD = Cloud(
    region=REGION, profile="pro d", options=("--profile", "pro d", "--region", REGION)
)  # a profile may have a blank in its name
HOST = f"inbox.s3.{REGION}.amazonaws.com"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:tessera-labeling"
TEAM = f"arn:aws:sagemaker:{REGION}:123456789012:workteam/private-crowd/pets"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1"

WELL = Facts(
    cloud=CLOUD,
    region=REGION,
    machine=MACHINE,
    pool=f"{REGION}_1",
    alarms=f"arn:aws:sns:{REGION}:123456789012:alarms",
    picture=Fetch(HOST, 200),
    buckets=(ImageBucket("inbox", REGION, CORS["CORSRules"]),),
    kms_key=Key(KEY, "Enabled", "ENCRYPT_DECRYPT"),
    work_teams=(WorkTeam(TEAM, "s3://inbox/pets/labeling.json", True),),
    concurrency=1000,
    mail="DEVELOPER",
    accounts=1,
    triggers=(Trigger("drops", True, f"{MACHINE}:live"),),
    aliases=(Alias(f"{MACHINE}:live", [f"{MACHINE}:2"], f"{MACHINE}:2"),),
    subscriptions=1,
)
REFUSED = Unknown("AccessDenied")
SOME_ORIGIN = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://portal.example"]}
ONLY_PUT = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"picture": Fetch(HOST, 301)}, WRONG, "tessera deploy"),
    ({"picture": Fetch(HOST, 307)}, WRONG, "tessera deploy"),
    ({"picture": Fetch(HOST, 400)}, WRONG, "tessera deploy"),
    ({"picture": Fetch(HOST, 403, "Request has expired")}, WRONG, "aws s3api get-bucket-policy"),
    ({"picture": Fetch(HOST, 503, "Slow down")}, WRONG, "curl"),
    ({"picture": Fetch(HOST, 0, "name or service not known")}, WRONG, "curl"),
    ({"buckets": (ImageBucket("inbox", REGION, []),)}, WRONG, "aws s3api put-bucket-cors"),
    (
        {"buckets": (ImageBucket("inbox", REGION, [SOME_ORIGIN, ONLY_PUT]),)},
        WRONG,
        "aws s3api put-bucket-cors",
    ),
    ({"buckets": (ImageBucket("pest", None, REFUSED),)}, WRONG, "tessera deploy"),
    ({"kms_key": Key(KEY, "Disabled", "ENCRYPT_DECRYPT")}, WRONG, "aws kms enable-key"),
    ({"kms_key": Key(KEY, "PendingDeletion", "")}, WRONG, "aws kms cancel-key-deletion"),
    ({"kms_key": Key(KEY, "Enabled", "SIGN_VERIFY")}, WRONG, "tessera deploy"),
    (
        {"kms_key": Key(KEY.replace(REGION, "us-east-1"), "Enabled", "ENCRYPT_DECRYPT")},
        WRONG,
        "tessera deploy",
    ),
    (
        {"work_teams": (WorkTeam(TEAM.replace(REGION, "us-east-1"), "there", True),)},
        WRONG,
        "aws sagemaker list-workteams",
    ),
    ({"work_teams": (WorkTeam(TEAM, "there", False),)}, WRONG, "aws sagemaker list-workteams"),
    ({"concurrency": 10}, LIMIT, "aws service-quotas"),
    ({"mail": "COGNITO_DEFAULT"}, LIMIT, "tessera deploy"),
    ({"accounts": 0}, LIMIT, "tessera workers"),
    ({"triggers": ()}, WRONG, "tessera deploy"),
    ({"triggers": (Trigger("drops", False, MACHINE),)}, WRONG, "aws events enable-rule"),
    (
        {"aliases": (Alias(f"{MACHINE}:live", [f"{MACHINE}:1"], f"{MACHINE}:2"),)},
        LIMIT,
        "aws stepfunctions update-state-machine-alias",
    ),
    (
        {"aliases": (Alias(f"{MACHINE}:live", [f"{MACHINE}:1", f"{MACHINE}:2"], f"{MACHINE}:2"),)},
        LIMIT,
        "aws stepfunctions update-state-machine-alias",
    ),
    ({"subscriptions": 0}, LIMIT, "aws sns subscribe"),
]


def not_good(facts: Facts) -> list[Finding]:
    return [finding for finding in check_all(facts) if finding.state != GOOD]


def program_of(command: str) -> str:
    """The program and the command of it, without the options that lead to the stack."""
    program, *words = shlex.split(command)
    while words and words[0].startswith("--"):
        words = words[2:]
    return " ".join([program, *words])


def test_a_stack_where_all_is_well_has_good_findings_alone() -> None:
    findings = check_all(WELL)

    assert [finding for finding in findings if finding.state != GOOD or finding.command] == []
    assert len(findings) == len(CHECKS)


@pytest.mark.parametrize(("change", "state", "command"), BAD)
def test_what_is_wrong_is_found_alone_with_the_command_that_mends_it(
    change: dict[str, Any], state: str, command: str
) -> None:
    (finding,) = not_good(replace(WELL, **change))

    assert finding.state == state
    assert program_of(finding.command).startswith(command)


def test_every_check_has_a_fact_that_makes_it_complain() -> None:
    complaining = {
        check
        for change, _, _ in BAD
        for check in CHECKS
        if any(finding.state != GOOD for finding in check(replace(WELL, **change)))
    }

    assert complaining == set(CHECKS)


@pytest.mark.parametrize(
    "change",
    [
        *(
            {field.name: REFUSED}
            for field in fields(Facts)
            if "Unknown" in str(field.type) and field.name != "buckets"
        ),
        {"buckets": (ImageBucket("inbox", REGION, REFUSED),)},
        {"work_teams": (WorkTeam(TEAM, "there", REFUSED),)},
    ],
)
def test_what_nobody_may_look_at_is_unknown_and_hides_nothing_else(change: dict[str, Any]) -> None:
    (finding,) = not_good(replace(WELL, **change))

    assert finding.state == UNKNOWN
    assert "AccessDenied" in finding.sentence
    assert len(check_all(replace(WELL, **change))) == len(CHECKS)


@pytest.mark.parametrize(("change", "_state", "_command"), BAD)
def test_every_command_carries_profile_and_region(
    change: dict[str, Any], _state: str, _command: str
) -> None:
    (finding,) = not_good(replace(WELL, **change))
    words = shlex.split(finding.command)

    if words[0] != "curl":
        assert words[1:5] == ["--profile", "pro d", "--region", REGION]
    if words[0] == "tessera":
        assert words[5] in COMMANDS


def test_a_stack_without_a_key_or_teams_is_not_asked_about_them() -> None:
    findings = check_all(replace(WELL, kms_key=None, work_teams=()))

    assert {finding.state for finding in findings} == {GOOD}
