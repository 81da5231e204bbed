"""Annotate tasks of a custom run as requesters' own functions do, by Ground Truth's contract."""

from __future__ import annotations

import json
from typing import Any

NOT_FOR_PEOPLE = "not for people"
"""Source of a line that `prepare` keeps from people."""


def prepare(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what the page of a line gets; text instead of a boolean, as AWS's own recipe does."""
    source = event["dataObject"]["source"]
    return {
        "taskInput": {"taskObject": source},
        "isHumanAnnotationRequired": "false" if source == NOT_FOR_PEOPLE else "true",
    }


def collect(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """Return for each task all that was entered, in order."""
    import boto3  # late: `prepare` needs none of it

    bucket, key = event["payload"]["s3Uri"].removeprefix("s3://").split("/", 1)
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return [
        {
            "datasetObjectId": entry["datasetObjectId"],
            "consolidatedAnnotation": {
                "content": {event["labelAttributeName"]: sorted(map(entered, entry["annotations"]))}
            },
        }
        for entry in json.loads(body)
    ]


def entered(annotation: dict[str, Any]) -> str:
    """Return what one worker entered."""
    return str(json.loads(annotation["annotationData"]["content"])["tag"])
