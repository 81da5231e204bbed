"""Gather from AWS what the checks of `tessera doctor` are about.

Whoever asks need not have every right: a fact that AWS refuses to tell is unknown, and the others
are gathered all the same.
"""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from tessera.aws.storage import is_missing, split_uri
from tessera.stack.checks import Alias, Facts, Fetch, ImageBucket, Key, Trigger, Unknown, WorkTeam
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import LONGEST_SETTINGS

Fact = TypeVar("Fact")

SECONDS = 60
"""Time for which the picture's address is signed: it is fetched at once, and once."""
MOST_PROJECTS = 100
"""Projects of the inbox whose settings are read: a request each, and a stack has a few dozen."""
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
"""PNG of one pixel, which is put into the inbox, fetched and deleted."""


def gather_facts(cloud: Cloud) -> Facts:
    """Ask AWS for every fact about a deployed stack."""
    outputs, parameters = cloud.outputs, cloud.parameters
    region = str(cloud.client("cloudformation").meta.region_name)
    inbox, _ = split_uri(outputs["Inbox"])
    machine, pool, alarms = (outputs[key] for key in ("StateMachineArn", "WorkerPoolId", "Alarms"))
    key = parameters.get("KmsKeyArn", "")
    names = [inbox, *_buckets(parameters.get("ImageObjects", ""))]
    cognito = cloud.client("cognito-idp")
    return Facts(
        cloud=cloud,
        region=region,
        machine=machine,
        pool=pool,
        alarms=alarms,
        picture=_known(lambda: fetch_picture(cloud)),
        buckets=[_image_bucket(cloud, name) for name in dict.fromkeys(names)],
        kms_key=_known(lambda: _key(cloud, key)) if key else None,
        work_teams=list(_work_teams(cloud)),
        concurrency=_known(
            lambda: int(
                cloud.client("lambda").get_account_settings()["AccountLimit"][
                    "ConcurrentExecutions"
                ]
            )
        ),
        mail=_known(lambda: _mail(cloud, pool)),
        accounts=_known(lambda: len(cognito.list_users(UserPoolId=pool, Limit=1)["Users"])),
        triggers=_known(lambda: _triggers(cloud, machine)),
        aliases=_known(lambda: _aliases(cloud, machine)),
        subscriptions=_known(
            lambda: len(
                cloud.client("sns").list_subscriptions_by_topic(TopicArn=alarms)["Subscriptions"]
            )
        ),
    )


def _known(ask: Callable[[], Fact]) -> Fact | Unknown:
    """Return the fact, or unknown with what AWS answered instead."""
    try:
        return ask()
    except (ClientError, BotoCoreError) as error:
        return Unknown(str(error))


def fetch_picture(cloud: Cloud) -> Fetch:
    """Put a picture into the inbox, fetch it from its signed address, and delete it."""
    inbox = cloud.outputs["Inbox"]
    uri = f"{inbox}/doctor-{secrets.token_hex(4)}.png"
    bucket, key = split_uri(uri)
    cloud.storage.put(uri, PICTURE, content_type="image/png")
    try:
        return fetch(cloud.storage.presign(uri, SECONDS))
    finally:
        cloud.client("s3").delete_object(Bucket=bucket, Key=key)


def fetch(address: str) -> Fetch:
    """Get an address as a browser would, but for redirects, which break a signature."""
    host = urlsplit(address).netloc
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(address, timeout=20) as response:
            return Fetch(host, int(response.status))
    except urllib.error.HTTPError as error:
        with error:
            return Fetch(host, error.code, _message(error.read(2000)))
    except (urllib.error.URLError, ssl.SSLError, TimeoutError) as error:
        return Fetch(host, 0, str(getattr(error, "reason", error)))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Take a redirect for the answer that it is."""


def _message(document: bytes) -> str:
    """Return the message in an error of S3."""
    text = document.decode("utf-8", "replace")
    return text.partition("<Message>")[2].partition("</Message>")[0]


def _buckets(arns: str) -> list[str]:
    """Return the buckets in the parameter ImageObjects, a list of ARN patterns.

    >>> _buckets("arn:aws:s3:::pets/*, arn:aws:s3:::more/dogs/*")
    ['pets', 'more']
    """
    objects = [arn.strip().rpartition(":::")[2] for arn in arns.split(",")]
    return [name.partition("/")[0] for name in objects if name.partition("/")[0]]


def _image_bucket(cloud: Cloud, name: str) -> ImageBucket:
    s3 = cloud.client("s3")
    region: str | None = cloud.region or ""
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if is_missing(error):
            region = None
    return ImageBucket(name, region, _known(lambda: _cors(s3, name)))


def _cors(s3: Any, name: str) -> Sequence[dict[str, Any]]:
    try:
        rules: list[dict[str, Any]] = s3.get_bucket_cors(Bucket=name)["CORSRules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchCORSConfiguration":
            raise
        return []
    return rules


def _key(cloud: Cloud, arn: str) -> Key:
    described = cloud.client("kms").describe_key(KeyId=arn)["KeyMetadata"]
    return Key(described["Arn"], described["KeyState"], described["KeyUsage"])


def _work_teams(cloud: Cloud) -> Iterator[WorkTeam]:
    """Yield each work team that the default settings or a project's settings name, once."""
    seen = set()
    for place, document in _settings(cloud):
        with suppress(ValueError):
            settings = json.loads(document)
            arn = settings.get("workforce") if isinstance(settings, dict) else None
            if isinstance(arn, str) and arn.startswith("arn:") and arn not in seen:
                seen.add(arn)
                yield WorkTeam(arn, place, _known(partial(_team_exists, cloud, arn)))


def _settings(cloud: Cloud) -> Iterator[tuple[str, bytes]]:
    """Yield the documents of settings that the stack knows, each with where it lies."""
    if cloud.default_settings:
        yield "the default settings", cloud.default_settings
    with suppress(ClientError):
        folders = cloud.storage.list_folders(cloud.outputs["Inbox"] + "/")
        for folder, _ in zip(folders, range(MOST_PROJECTS), strict=False):
            uri = f"{folder}labeling.json"
            document = cloud.storage.get_up_to(uri, LONGEST_SETTINGS)
            if document is not None:
                yield uri, document


def _team_exists(cloud: Cloud, arn: str) -> bool:
    try:
        cloud.client("sagemaker").describe_workteam(WorkteamName=arn.rpartition("/")[2])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return False
    return True


def _mail(cloud: Cloud, pool: str) -> str:
    described = cloud.client("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]
    account: str = described.get("EmailConfiguration", {}).get(
        "EmailSendingAccount", "COGNITO_DEFAULT"
    )
    return account


def _triggers(cloud: Cloud, machine: str) -> list[Trigger]:
    """Return the rules that start the machine, by its own ARN or by that of an alias."""
    events = cloud.client("events")
    targets = [machine, *(alias.arn for alias in _aliases(cloud, machine))]
    rules = []
    for target in targets:
        for name in events.list_rule_names_by_target(TargetArn=target)["RuleNames"]:
            enabled = events.describe_rule(Name=name)["State"] == "ENABLED"
            rules.append(Trigger(name, enabled, target))
    return rules


def _aliases(cloud: Cloud, machine: str) -> list[Alias]:
    states = cloud.client("stepfunctions")
    aliases = states.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"]
    if not aliases:
        return []
    versions = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    newest = versions[0]["stateMachineVersionArn"] if versions else ""
    listed = []
    for entry in aliases:
        arn = entry["stateMachineAliasArn"]
        routes = states.describe_state_machine_alias(stateMachineAliasArn=arn)
        to = [route["stateMachineVersionArn"] for route in routes["routingConfiguration"]]
        listed.append(Alias(arn, to, newest))
    return listed
