"""Name runs, and make the request that opens a labeling job."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from tessera.tiling.run.inbox import without_ending
from tessera.tiling.settings import PUBLIC_TEAM, Settings, name_basis

PORTAL_TEAM = "arn:aws:sagemaker:portal:000000000000:workteam/private-crowd/portal"
"""ARN that stands for the portal where a request must name a work team: legal, and nobody's."""
PORTAL_ROLE = "arn:aws:iam::000000000000:role/portal"
"""The same for the role, where the stack has none because there is no Ground Truth."""
GOLD_NAME = "round-1/gold.csv"
"""Name in a run's folder of the file of gold images' known labels: beside the tasks."""

COMPLETED, STOPPED, FAILED = "Completed", "Stopped", "Failed"
IN_PROGRESS = ("Initializing", "InProgress", "Stopping")
"""Statuses of a labeling job, as DescribeLabelingJob has them."""
OUTPUT_MANIFEST = "manifests/output/output.manifest"
"""Place of a job's output in its folder, as Ground Truth has it."""
NOT_OPENED, NOT_CLOSED = "NotOpened", "NotClosed"
"""Statuses that the state machine gives a job that no service took, or that has no output."""

RUN_LENGTH = 40
"""Characters of a run's name: with round and shard it stays within the 63 of a job's name."""
DIGEST_LENGTH = 12
"""Hexadecimal digits, 48 bits: among a million runs two share a digest with a chance of 0.2 %, and
to be confused their manifests' names must be alike, too."""
DAY = 86_400
PUBLIC_LIFETIME = 43_200
"""Seconds; the public workforce keeps a task for 12 hours at most."""
CONCURRENT_TASKS = 1000
"""Tasks that workers may have at the same time: Ground Truth's own default, spelled out."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Names and prices that a job's request takes from the stack that it runs in."""

    prepare_task: str = ""
    collect_answers: str = ""
    labeling_role: str = ""
    annotation_role: str = ""
    kms_key: str = ""
    public_price: str = ""


def run_id(manifest: Mapping[str, Any], settings: Settings) -> str:
    """Return the run's name: what a person recognizes, then a hash of what makes it this very run.

    `manifest` has `bucket`, `key`, `etag` and `version-id` of the dropped object. An unchanged
    file uploaded again has a new version but the same ETag, and is the same run; where S3's ETag
    is another each time, it is the content's own (`run_record.with_content_etag`).

    >>> from tessera.tiling.settings import read_settings
    >>> run_id({"bucket": "inbox", "key": "pets/may.manifest", "etag": "9"},
    ...        read_settings(b'{"labels": ["cat", "dog"]}'))
    'pets-may-...'
    """
    # an ETag has quotes in an answer of S3 and none in an event
    content = str(manifest.get("etag") or manifest.get("version-id") or "").strip('"')
    parts = [manifest["bucket"], manifest["key"], content, name_basis(settings).decode()]
    # ASCII escapes, because a key may hold any code point, lone surrogates among them.
    digest = sha256(repr(parts).encode("ascii", "backslashreplace")).hexdigest()[:DIGEST_LENGTH]
    return name_prefix(manifest["key"]) + digest


def name_prefix(key: str) -> str:
    """Return what the names of all runs of a manifest's key begin with, up to the hash.

    >>> name_prefix("pets/may.manifest.gz"), name_prefix("?.manifest")
    ('pets-may-', '')
    """
    slug = _slug(key)[: RUN_LENGTH - DIGEST_LENGTH - 1].strip("-")
    return f"{slug}-" if slug else ""


def _slug(key: str) -> str:
    """Reduce a key's last folder and name to lower-case letters, digits and single hyphens."""
    *folders, name = key.split("/")
    stem = f"{folders[-1] if folders else ''}-{without_ending(name)}"
    plain = unicodedata.normalize("NFKD", stem)
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower()).strip("-")


def tasks_name(round_: int, shard: int) -> str:
    """Return where in a run's folder the tasks of one shard of one round are.

    >>> tasks_name(1, 0)
    'round-1/tasks-000.manifest'
    """
    return f"round-{round_}/tasks-{shard:03d}.manifest"


def jobs_folder(home: str, round_: int) -> str:
    """Return the URI of the folder in which each job of a round has one, called as the job is."""
    return f"{home}round-{round_}/jobs"


def labeling_job_request(
    settings: Settings,
    surroundings: Surroundings,
    *,
    run: str,
    home: str,
    round_: int,
    project: str,
) -> dict[str, Any]:
    """Return a CreateLabelingJob request, complete except for the job's name and its data source.

    The portal takes the same request, so one description serves both services.
    """
    output = {"S3OutputPath": jobs_folder(home, round_)}
    if surroundings.kms_key:
        output["KmsKeyId"] = surroundings.kms_key
    return {
        "LabelAttributeName": settings.label_attribute,
        "InputConfig": {
            "DataAttributes": {"ContentClassifiers": list(settings.content_classifiers)}
        },
        "OutputConfig": output,
        "RoleArn": _role(settings, surroundings),
        **({"LabelCategoryConfigS3Uri": f"{home}labels.json"} if settings.labels else {}),
        "HumanTaskConfig": {
            "WorkteamArn": PORTAL_TEAM if settings.on_portal else settings.workforce,
            "UiConfig": {"UiTemplateS3Uri": f"{home}page.liquid.html"},
            "TaskTitle": _title(settings.question),
            "TaskDescription": _description(settings),
            "TaskKeywords": ["image labeling", "classification", "images"],
            "NumberOfHumanWorkersPerDataObject": (settings.answers_per_image if round_ == 1 else 1),
            "TaskTimeLimitInSeconds": settings.task_minutes * 60,
            "TaskAvailabilityLifetimeInSeconds": _lifetime(settings),
            "MaxConcurrentTaskCount": CONCURRENT_TASKS,
            **_functions(settings, surroundings),
            **_reward(settings, surroundings),
        },
        "Tags": _tags(settings, run, project),
        **_stopping_conditions(settings),
    }


def _tags(settings: Settings, run: str, project: str) -> list[dict[str, str]]:
    """Return the tags of a job: those of the stack's bills, and what the portal alone follows."""
    tags = {"tessera:run": run, "tessera:project": _tag_value(project)}
    if settings.team:
        tags["team"] = settings.team
    if settings.stop_below:
        tags["tessera:stop-below"] = settings.stop_below.encode()
    if settings.qualify:
        tags["tessera:qualify"] = repr(settings.qualify)
    if settings.task != "tiles":
        tags["tessera:task"] = settings.task
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def label_categories(settings: Settings) -> bytes:
    """Return the label category file that goes with a request: what a worker can choose."""
    return msgspec.json.encode(
        {
            "document-version": "2018-11-28",
            "labels": [
                {"label": choice}
                for choice in (settings.labels if settings.is_custom else settings.choices)
            ],
        }
    )


def _role(settings: Settings, surroundings: Surroundings) -> str:
    """Return the role of the job: for a custom task that which its functions may take on."""
    if settings.is_custom:
        return surroundings.annotation_role or PORTAL_ROLE
    return surroundings.labeling_role or PORTAL_ROLE


def _functions(settings: Settings, surroundings: Surroundings) -> dict[str, Any]:
    """Return the pre- and post-annotation Lambdas: a custom task has its own, or none."""
    prepare, collect = surroundings.prepare_task, surroundings.collect_answers
    if settings.is_custom:
        prepare, collect = settings.pre_annotation or "", settings.post_annotation or ""
    arns: dict[str, Any] = {}
    if prepare:
        arns["PreHumanTaskLambdaArn"] = prepare
    if collect:
        arns["AnnotationConsolidationConfig"] = {"AnnotationConsolidationLambdaArn": collect}
    return arns


def _lifetime(settings: Settings) -> int:
    days = settings.job_days * DAY
    return min(days, PUBLIC_LIFETIME) if PUBLIC_TEAM in settings.workforce else days


def _reward(settings: Settings, surroundings: Surroundings) -> dict[str, Any]:
    """Return the reward for a task, which only the public team gets.

    The service wants dollars, cents and tenths of a cent as three whole numbers.
    """
    if PUBLIC_TEAM not in settings.workforce or not surroundings.public_price:
        return {}
    thousandths = round(float(surroundings.public_price) * 1000)
    amount = {
        "Dollars": thousandths // 1000,
        "Cents": thousandths % 1000 // 10,
        "TenthFractionsOfACent": thousandths % 10,
    }
    return {"PublicWorkforceTaskPrice": {"AmountInUsd": amount}}


def _stopping_conditions(settings: Settings) -> dict[str, Any]:
    """Return when the service is to stop the job; a data object of the job is a page."""
    limits = {
        "MaxHumanLabeledObjectCount": settings.stop_after_pages,
        "MaxPercentageOfInputDatasetLabeled": settings.stop_after_percent,
    }
    conditions = {name: limit for name, limit in limits.items() if limit is not msgspec.UNSET}
    return {"StoppingConditions": conditions} if conditions else {}


def _one_line(text: str, longest: int) -> str:
    """Put a text on one line, without characters that the service refuses, cut to a length."""
    plain = "".join(
        letter if " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd" else " "
        for letter in text
    )
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def _title(question: str) -> str:
    return _one_line(question, 128) or "Label images"


def _description(settings: Settings) -> str:
    if settings.is_custom:
        return _title(settings.question)
    pages = (
        "one image"
        if settings.images_per_task == 1
        else (f"up to {settings.images_per_task} images")
    )
    return _one_line(f"{_title(settings.question)} Each page shows {pages}.", 255)


def _tag_value(text: str) -> str:
    """Replace every character that a tag may not hold by a hyphen."""
    legal = "".join(
        letter if unicodedata.category(letter)[0] in "LZN" or letter in "_.:/=+-@" else "-"
        for letter in text
    )
    return legal[:256]
