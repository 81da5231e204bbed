"""Check gathered facts for what a stack's first day depends on; nothing is asked of AWS here.

`facts` gathers them, and `tessera doctor` prints what the checks find. A check takes all facts and
yields findings, so that a new one is a function in CHECKS and a field of `Facts`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tessera.stack.cloud import Cloud

GOOD, LIMIT, WRONG, UNKNOWN = "good", "limit", "wrong", "unknown"
"""States of a finding: fine; fine up to a number; it will fail; nobody could look."""

ENOUGH_CONCURRENCY = 100
"""Concurrent executions of Lambda that a portal of a few hundred workers needs: a claim and an
answer take some 50 ms each, and the pipeline's functions share the same number. New accounts begin
with 10 (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

BLOCKS = 8
"""Functions that embed a run's pictures at a time, by the template's default."""

CORS = {
    "CORSRules": [
        {
            "AllowedMethods": ["GET"],
            "AllowedOrigins": ["*"],
            "ExposeHeaders": ["Access-Control-Allow-Origin"],
            "MaxAgeSeconds": 3000,
        }
    ]
}
"""Rules of a bucket whose pictures browsers may read."""


class Unknown(NamedTuple):
    """Fact that could not be gathered, and why."""

    reason: str


class Fetch(NamedTuple):
    """Answer to the request for a picture at its signed address."""

    address: str
    status: int
    message: str = ""


class ImageBucket(NamedTuple):
    """Bucket that pictures lie in; without a region there is no such bucket."""

    name: str
    region: str | None
    cors: Sequence[Mapping[str, Any]] | Unknown


class Key(NamedTuple):
    """State of a KMS key, as DescribeKey has it, and what it is for."""

    arn: str
    state: str
    usage: str


class WorkTeam(NamedTuple):
    """Work team of Ground Truth, where the settings that name it lie, and whether it exists."""

    arn: str
    settings: str
    exists: bool | Unknown


class Trigger(NamedTuple):
    """Rule of EventBridge that starts the state machine, or an alias of it."""

    name: str
    enabled: bool
    target: str


class Alias(NamedTuple):
    """Alias of the state machine, the versions it leads to, and the newest version there is."""

    arn: str
    versions: Sequence[str]
    newest: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was seen of a stack and its account; each fact may be unknown."""

    cloud: Cloud
    region: str
    machine: str
    pool: str
    alarms: str
    picture: Fetch | Unknown
    buckets: Sequence[ImageBucket]
    kms_key: Key | Unknown | None
    work_teams: Sequence[WorkTeam]
    concurrency: int | Unknown
    mail: str | Unknown
    """EmailSendingAccount of the user pool."""
    accounts: int | Unknown
    triggers: Sequence[Trigger] | Unknown
    aliases: Sequence[Alias] | Unknown
    subscriptions: int | Unknown
    """Number of those who hear of alarms."""


class Finding(NamedTuple):
    """What a check says: its subject, a state, a sentence, and the command that mends it."""

    subject: str
    state: str
    sentence: str
    command: str = ""


Check = Callable[[Facts], Iterator[Finding]]


def check_all(facts: Facts) -> list[Finding]:
    """Return the findings of all checks, in their order."""
    return [finding for check in CHECKS for finding in check(facts)]


def _unknown(facts: Facts, subject: str, fact: Unknown) -> Finding:
    command = facts.cloud.aws_command("sts get-caller-identity")
    return Finding(subject, UNKNOWN, f"Nobody could look: {fact.reason}", command)


def check_picture(facts: Facts) -> Iterator[Finding]:
    """Check that a picture of the inbox loads from its signed address, as on the portal."""
    subject, fetch = "pictures", facts.picture
    if isinstance(fetch, Unknown):
        yield _unknown(facts, subject, fetch)
    elif fetch.status == 200:
        yield Finding(subject, GOOD, f"A picture loads from {fetch.address}.")
    elif fetch.status in (301, 307, 400):
        yield Finding(
            subject,
            WRONG,
            f"S3 answers {fetch.status} at {fetch.address}: the address is not that of the "
            "bucket's region, so no picture loads on the portal. Deploy this version",
            facts.cloud.command("deploy"),
        )
    elif fetch.status == 403:
        yield Finding(
            subject,
            WRONG,
            f"S3 refuses a signed address at {fetch.address}: {fetch.message or '403'}. A policy "
            "of the bucket or its key forbids it, or this machine's clock is wrong",
            facts.cloud.aws_command(f"s3api get-bucket-policy --bucket {_inbox(facts)}"),
        )
    else:
        what = f"answers {fetch.status}" if fetch.status else "is not reached"
        yield Finding(
            subject,
            WRONG,
            f"{fetch.address} {what}: {fetch.message}. Workers' browsers must reach it; see from "
            "their network",
            f"curl -sSI https://{fetch.address}/",
        )


def _inbox(facts: Facts) -> str:
    return facts.buckets[0].name if facts.buckets else "INBOX"


def check_buckets(facts: Facts) -> Iterator[Finding]:
    """Check each bucket of pictures: that it exists, and that browsers may read from it."""
    for bucket in facts.buckets:
        subject = f"bucket {bucket.name}"
        if bucket.region is None:
            yield Finding(
                subject,
                WRONG,
                "There is no such bucket, but the stack is told to read pictures in it. Name the "
                "buckets there are",
                facts.cloud.command("deploy --images BUCKET"),
            )
        elif isinstance(bucket.cors, Unknown):
            yield _unknown(facts, subject, bucket.cors)
        elif any(_lets_browsers_read(rule) for rule in bucket.cors):
            yield Finding(subject, GOOD, "Browsers may read its pictures (CORS).")
        else:
            where = f"--bucket {bucket.name} --cors-configuration '{json.dumps(CORS)}'"
            yield Finding(
                subject,
                WRONG,
                "It has no CORS rule for GET from every origin, so browsers cannot show its "
                "pictures in a task",
                facts.cloud.aws_command(f"s3api put-bucket-cors {where}"),
            )


def _lets_browsers_read(rule: Mapping[str, Any]) -> bool:
    # The page is in a sandbox, whose origin is "null": no list of origins can name it.
    return "GET" in rule.get("AllowedMethods", ()) and "*" in rule.get("AllowedOrigins", ())


def check_key(facts: Facts) -> Iterator[Finding]:
    """Check that the stack's own KMS key, if it has one, can encrypt in its region."""
    key, subject = facts.kms_key, "KMS key"
    if key is None:
        return
    if isinstance(key, Unknown):
        yield _unknown(facts, subject, key)
        return
    _, partition, _, region, *_ = key.arn.split(":")
    if region != facts.region:
        yield Finding(
            subject,
            WRONG,
            f"{key.arn} is in {region}, and the stack in {facts.region}: S3 cannot use it",
            facts.cloud.command(
                f"deploy --kms-key arn:{partition}:kms:{facts.region}:ACCOUNT:key/ID"
            ),
        )
    elif key.state == "PendingDeletion":
        command = facts.cloud.aws_command(f"kms cancel-key-deletion --key-id {key.arn}")
        yield Finding(subject, WRONG, f"{key.arn} is about to be deleted", command)
    elif key.state != "Enabled":
        command = facts.cloud.aws_command(f"kms enable-key --key-id {key.arn}")
        yield Finding(subject, WRONG, f"{key.arn} is {key.state}: nothing can be read", command)
    elif key.usage != "ENCRYPT_DECRYPT":
        command = facts.cloud.command("deploy --kms-key ARN")
        yield Finding(subject, WRONG, f"{key.arn} is for {key.usage}, not to encrypt", command)
    else:
        yield Finding(subject, GOOD, f"{key.arn} is enabled.")


def check_work_teams(facts: Facts) -> Iterator[Finding]:
    """Check that each work team that settings name is in the stack's region, and exists."""
    for team in facts.work_teams:
        subject, region = f"work team of {team.settings}", team.arn.split(":")[3]
        find = facts.cloud.aws_command("sagemaker list-workteams")
        if region != facts.region:
            yield Finding(
                subject,
                WRONG,
                f"{team.arn} is in {region}, and the stack in {facts.region}: Ground Truth "
                "refuses its jobs. Name a team of this region",
                find,
            )
        elif isinstance(team.exists, Unknown):
            yield _unknown(facts, subject, team.exists)
        elif team.exists:
            yield Finding(subject, GOOD, f"{team.arn} exists, in the stack's region.")
        else:
            yield Finding(subject, WRONG, f"There is no {team.arn}. Name one there is", find)


def check_concurrency(facts: Facts) -> Iterator[Finding]:
    """Check that the account may run enough functions at a time."""
    subject, limit = "Lambda", facts.concurrency
    if isinstance(limit, Unknown):
        yield _unknown(facts, subject, limit)
    elif limit < ENOUGH_CONCURRENCY:
        yield Finding(
            subject,
            LIMIT,
            f"The account may run {limit} functions at a time in {facts.region}: some "
            f"{5 * limit} requests a second of workers, and no other function beside: a run that "
            f"embeds its pictures takes {BLOCKS} of them for as long as that lasts, so until there "
            f"are more, {facts.cloud.command('deploy --set MaxConcurrentBlocks=2')}. Ask for more",
            facts.cloud.aws_command(
                "service-quotas request-service-quota-increase --service-code lambda "
                "--quota-code L-B99A9384 --desired-value 1000"
            ),
        )
    else:
        yield Finding(subject, GOOD, f"{limit:,} functions may run at a time.")


def check_mail(facts: Facts) -> Iterator[Finding]:
    """Check how many invitations the user pool may mail in a day."""
    subject = "invitations"
    if isinstance(facts.mail, Unknown):
        yield _unknown(facts, subject, facts.mail)
    elif facts.mail == "DEVELOPER":
        yield Finding(subject, GOOD, "Mail goes through your own SES identity.")
    else:
        yield Finding(
            subject,
            LIMIT,
            "Cognito itself mails invitations, 50 a day. For more people, verify an address in "
            "SES and name it, or hand out passwords yourself (workers add --no-invite)",
            facts.cloud.command("deploy --set MailIdentityArn=ARN"),
        )


def check_accounts(facts: Facts) -> Iterator[Finding]:
    """Check that somebody can sign in to the portal."""
    subject = "workers"
    if isinstance(facts.accounts, Unknown):
        yield _unknown(facts, subject, facts.accounts)
    elif not facts.accounts:
        command = facts.cloud.command("workers add EMAIL")
        yield Finding(subject, LIMIT, "Nobody can sign in to the portal yet", command)
    else:
        yield Finding(subject, GOOD, "There are accounts for the portal.")


def check_triggers(facts: Facts) -> Iterator[Finding]:
    """Check that a dropped manifest starts the state machine, through an alias that exists."""
    subject = "drops"
    if isinstance(facts.triggers, Unknown):
        yield _unknown(facts, subject, facts.triggers)
        return
    if not facts.triggers:
        command = facts.cloud.command("deploy")
        yield Finding(subject, WRONG, "No rule starts a run when a manifest is dropped", command)
    for rule in facts.triggers:
        if not rule.enabled:
            command = facts.cloud.aws_command(f"events enable-rule --name {rule.name}")
            yield Finding(subject, WRONG, f"The rule {rule.name} is off: no run starts", command)
        else:
            yield Finding(subject, GOOD, f"A dropped manifest starts {rule.target}.")


def check_aliases(facts: Facts) -> Iterator[Finding]:
    """Check that an alias of the state machine, where there is one, leads to the newest version."""
    subject = "state machine"
    if isinstance(facts.aliases, Unknown):
        yield _unknown(facts, subject, facts.aliases)
        return
    for alias in facts.aliases:
        if tuple(alias.versions) == (alias.newest,):
            yield Finding(subject, GOOD, f"{alias.arn} leads to the newest version.")
        else:
            route = f"stateMachineVersionArn={alias.newest},weight=100"
            yield Finding(
                subject,
                LIMIT,
                f"{alias.arn} leads to {', '.join(alias.versions) or 'nothing'}, and the newest "
                f"version is {alias.newest}: a deployment is under way, or was broken off",
                facts.cloud.aws_command(
                    "stepfunctions update-state-machine-alias "
                    f"--state-machine-alias-arn {alias.arn} --routing-configuration {route}"
                ),
            )


def check_alarms(facts: Facts) -> Iterator[Finding]:
    """Check that somebody hears of alarms."""
    subject = "alarms"
    if isinstance(facts.subscriptions, Unknown):
        yield _unknown(facts, subject, facts.subscriptions)
    elif not facts.subscriptions:
        command = facts.cloud.aws_command(
            f"sns subscribe --topic-arn {facts.alarms} --protocol email "
            "--notification-endpoint EMAIL"
        )
        yield Finding(subject, LIMIT, "Nobody hears of alarms yet", command)
    else:
        yield Finding(subject, GOOD, "Somebody hears of alarms.")


CHECKS: tuple[Check, ...] = (
    check_picture,
    check_buckets,
    check_key,
    check_work_teams,
    check_concurrency,
    check_mail,
    check_accounts,
    check_triggers,
    check_aliases,
    check_alarms,
)
