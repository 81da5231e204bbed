"""AWS clients, made at first use and kept: importing this module talks to nobody."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient


@cache
def s3() -> S3Client:
    """The S3 client, with standard retries and room for parallel reads."""
    import boto3  # late: a handler that needs no AWS starts in a tenth of the time
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            signature_version="s3v4",
            # a checksum covers the body already; hashing it again costs a third of an upload
            s3={"payload_signing_enabled": False},
            retries={"mode": "standard", "max_attempts": 5},
            max_pool_connections=64,
        ),
    )


@cache
def lambdas() -> LambdaClient:
    """The Lambda client; it waits as long as a function may run and never asks twice."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "lambda", config=Config(read_timeout=900, retries={"total_max_attempts": 1})
    )


@cache
def workflows() -> SFNClient:
    """The Step Functions client."""
    import boto3

    return boto3.client("stepfunctions")


@cache
def dynamodb() -> DynamoDBClient:
    """The DynamoDB client; a worker waits for it, so it gives up early and the page asks again."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "max_attempts": 4},
            max_pool_connections=32,
        ),
    )


@cache
def users() -> CognitoIdentityProviderClient:
    """The Cognito client that administers a user pool."""
    import boto3

    return boto3.client("cognito-idp")
