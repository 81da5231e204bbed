"""Connect to AWS: one record of where it is, and one object for each service that Tessera uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from tessera.aws.functions import Functions
from tessera.aws.presign import Credentials
from tessera.aws.spans import NO_SPANS, Spans
from tessera.aws.storage import Storage
from tessera.aws.table import Table
from tessera.aws.table_requests import (
    CONNECT_TIMEOUT,
    CONNECTIONS,
    READ_TIMEOUT,
    USER_AGENT,
    TableRequests,
)
from tessera.aws.users import Users
from tessera.aws.workflow import Workflow

AWS_HOST = re.compile(
    r"\.(amazonaws\.(com|com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$"
)
"""Domains of AWS's partitions, in contrast to an embedded AWS or another service like S3."""

_making = Lock()
"""Held while a client is made: all connections share boto3's session, which makes one at a time."""


def _config(service: str) -> Any:
    """Return botocore's configuration of a service: how long to wait, and how often to try."""
    from botocore.config import Config  # late, as below

    match service:
        case "s3":
            return Config(
                signature_version="s3v4",
                # a checksum covers the body already; hashing it again costs a third of an upload
                s3={"payload_signing_enabled": False},
                retries={"mode": "standard", "max_attempts": 5},
                max_pool_connections=64,  # handlers read with 32 threads and write beside them
                user_agent=USER_AGENT,
            )
        case "s3 addresses":
            # us-east-1 has a host of its own too, beside the global one
            return Config(
                signature_version="s3v4",
                s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
            )
        case "lambda":
            # wait as long as a function may run, and never ask twice: it may have done its work
            return Config(read_timeout=900, retries={"total_max_attempts": 1})
        case "lambda soon":
            # two pages are tried and given up on within the 30 seconds of the API, so that the
            # first is noted and the worker goes on; another function's cold start takes a few
            return Config(connect_timeout=2, read_timeout=12, retries={"total_max_attempts": 1})
        case "dynamodb":
            # a worker waits for it: give up early, for the page asks again by itself
            return Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "max_attempts": 4},
                max_pool_connections=CONNECTIONS,
                # `Table` alone makes these requests, always in the same forms: to walk through each
                # parameter once more took a third of a transaction's time in this process
                parameter_validation=False,
                user_agent=USER_AGENT,
            )
    return None


@dataclass(frozen=True)
class Connection:
    """Services of AWS at one endpoint; clients are made at first use and kept.

    What is None is left to boto3: the environment, the profile, the function's own role. Why it is
    handed on instead of being global: docs/decisions/one-connection.md.
    """

    endpoint: str | None = None
    region: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service, the same one every time."""
        return self._made(service, service, self.region)

    def signing_client(self, region: Callable[[], str] = str) -> Any:
        """Return the S3 client that signs addresses of buckets in a region, by default our own.

        `region` gives it, and is called only on AWS: to ask for it is a request.

        On AWS its addresses name the bucket's region: S3's global host, which boto3 would write,
        answers 400 for buckets in regions since March 2019, and redirects new buckets' requests
        for up to a day elsewhere, which breaks the signature. Any other endpoint is kept.
        """
        client = self.client("s3")
        if not AWS_HOST.search(str(client.meta.endpoint_url)):
            return client
        name = region() or client.meta.region_name
        return self._made(f"s3 {name}", "s3", name, _config("s3 addresses"))

    def _made(self, name: str, service: str, region: str | None, config: Any = None) -> Any:
        """Return the client of this name, made at its first use."""
        if client := self._clients.get(name):
            return client
        import boto3  # late: a handler that needs no AWS starts in a tenth of the time

        key, secret, token = (*(self.credentials or (None, None)), None)[:3]
        make: Any = boto3.client  # its stubs know a service only by a literal name
        with _making:
            if name not in self._clients:
                self._clients[name] = make(
                    service,
                    endpoint_url=self.endpoint,
                    region_name=region,
                    aws_access_key_id=key,
                    aws_secret_access_key=secret,
                    aws_session_token=token,
                    config=config or _config(service),
                )
        return self._clients[name]

    def _late(self, service: str) -> Callable[[], Any]:
        """Return a function that gives the client: who never calls it, never makes one."""
        return lambda: self.client(service)

    @cached_property
    def storage(self) -> Storage:
        """S3."""
        return Storage(self._late("s3"), self.signing_client, self.credentials)

    @cached_property
    def functions(self) -> Functions:
        """Lambda."""
        return Functions(self._late("lambda"))

    @cached_property
    def functions_soon(self) -> Functions:
        """Lambda, whose functions are given up on before somebody who waits for them is."""
        name = "lambda soon"
        return Functions(lambda: self._made(name, "lambda", self.region, _config(name)))

    @cached_property
    def workflow(self) -> Workflow:
        """Step Functions."""
        return Workflow(self._late("stepfunctions"))

    def table(self, name: str) -> Table:
        """Return the DynamoDB table of this name; nothing is asked of it yet."""
        return Table(self._late("dynamodb"), name)

    def table_soon(self, name: str, spans: Spans = NO_SPANS) -> Table:
        """Return the DynamoDB table of this name, asked in the shortest way: a worker waits."""
        client = self._late("dynamodb")
        return Table(client, name, TableRequests(client, self._keys), spans)

    def _keys(self) -> Credentials | None:
        """Return the keys that boto3's clients sign with now; None if it finds none."""
        if self.credentials:
            return self.credentials
        import boto3  # late, as above

        session = boto3.DEFAULT_SESSION  # made with the first client
        credentials = session.get_credentials() if session else None
        if credentials is None:
            return None
        now = credentials.get_frozen_credentials()  # a role's are renewed by this
        if not (now.access_key and now.secret_key):
            return None
        keys = (now.access_key, now.secret_key)
        return (*keys, now.token) if now.token else keys

    def users(self, pool: str) -> Users:
        """Return the Cognito user pool of this id; nothing is asked of it yet."""
        return Users(self._late("cognito-idp"), pool)


def connect(
    endpoint: str | None = None,
    region: str | None = None,
    credentials: Credentials | None = None,
) -> Connection:
    """Connect to AWS, or to what answers like it at `endpoint`; nobody is asked anything yet.

    `credentials` are an access key and its secret, and the token of a session if it is one.
    """
    return Connection(endpoint, region, credentials)
