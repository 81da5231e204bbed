"""Bucket and table of the sample events for `sam local invoke`, apart from every real run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tessera.stack.local_stack import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

EVENTS = ROOT / "events"
"""Sample events, numbered in the order of the flow, each with its result."""

NAME = "tessera-samples"
"""Name of both the bucket and the table; `events/environment.json` has it, too."""


def objects() -> Iterator[tuple[str, Path]]:
    """Yield the keys of the samples' bucket, each with the file that has its content."""
    bucket = EVENTS / "bucket"
    for path in sorted(bucket.rglob("*")):
        if path.is_file():
            yield path.relative_to(bucket).as_posix(), path
    for path in sorted((ROOT / "examples" / "digits" / "images").glob("00[0-6].png")):
        yield f"digits/images/{path.name}", path


def create_table(dynamodb: DynamoDBClient, name: str) -> None:
    """Create a table with the keys of the portal's, as `template.yaml` does."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


def load(s3: S3Client, dynamodb: DynamoDBClient) -> None:
    """Create the samples' bucket and table if need be, and put what the events refer to."""
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    if NAME not in names:
        s3.create_bucket(Bucket=NAME)
    for key, path in objects():
        s3.put_object(Bucket=NAME, Key=key, Body=path.read_bytes())
    if NAME not in dynamodb.list_tables()["TableNames"]:
        create_table(dynamodb, NAME)
