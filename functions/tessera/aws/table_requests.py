"""Ask DynamoDB for a table's items without boto3's way through two hundred functions.

A page of the portal takes ten requests to the table, and a worker waits for each of them. Whatever
DynamoDB answers but 200 is asked again by boto3, with its retries and its errors. What that saves:
docs/decisions/portal-claims-without-scans.md.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from tessera.aws.presign import Credentials
from tessera.aws.signature import authorization, request_form, scope_of
from tessera.aws.signature import sign as sign_form

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from urllib3 import HTTPConnectionPool

Content: TypeAlias = Mapping[str, Any]

USER_AGENT = "tessera"
"""Name in the requests that workers wait for: boto3 puts its own long one together twice a request,
which took a tenth of its time."""

CONNECT_TIMEOUT, READ_TIMEOUT = 2, 5
"""Seconds to wait for DynamoDB, here and by boto3 (`tessera.aws.connection`): a worker waits, and
the page asks again by itself."""

CONNECTIONS = 32
"""Connections that are kept, here and by boto3."""


class Place(NamedTuple):
    """Endpoint of the table: connections to it, its host, and the region that is signed."""

    connections: HTTPConnectionPool
    host: str
    region: str


class TableRequests:
    """Requests to DynamoDB at the place that boto3 asks, each tried once."""

    def __init__(
        self, client: Callable[[], DynamoDBClient], keys: Callable[[], Credentials | None]
    ) -> None:
        """Keep what gives boto3's client and the keys; nothing is asked yet."""
        self._client, self._keys = client, keys
        self._is_off = False

    def ask(self, operation: str, content: Content) -> dict[str, Any] | None:
        """Return the response to an operation (`GetItem`), or None where boto3 has to ask."""
        keys = None if self._is_off or self._place is None else self._keys()
        if self._place is None or keys is None:
            return None
        from urllib3.exceptions import HTTPError, SSLError  # late: a cold start's time

        body = json.dumps(content).encode()
        headers = sign(operation, body, self._place.host, self._place.region, keys)
        try:
            response = self._place.connections.urlopen("POST", "/", body, headers, retries=False)
            answer = json.loads(response.data) if response.status == 200 else None
        except SSLError:  # a certificate that boto3 alone is told to trust, perhaps
            self._is_off = True
            return None
        except (HTTPError, ValueError):  # not sent, not answered in time, or cut off
            return None
        return answer if isinstance(answer, dict) else None

    @cached_property
    def _place(self) -> Place | None:
        """Return the endpoint that boto3 asks; None behind a proxy, which boto3 can handle."""
        from botocore.httpsession import create_urllib3_context, get_cert_path  # late, as above
        from botocore.utils import get_environ_proxies
        from urllib3 import Timeout, connection_from_url

        meta = self._client().meta
        scheme, host, path, *_ = urlsplit(meta.endpoint_url)
        if get_environ_proxies(meta.endpoint_url) or path.strip("/"):
            return None
        trust: dict[str, Any] = {}
        if scheme == "https":
            trust = {"ssl_context": create_urllib3_context(), "ca_certs": get_cert_path(True)}
        connections = connection_from_url(
            meta.endpoint_url,
            maxsize=CONNECTIONS,
            timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            **trust,
        )
        return Place(connections, host, meta.region_name)


def sign(operation: str, body: bytes, host: str, region: str, keys: Credentials) -> dict[str, str]:
    """Return the headers of a request, signed by Signature Version 4."""
    access, secret, *token = keys
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = {
        "content-type": "application/x-amz-json-1.0",
        "host": host,
        "x-amz-date": moment,
        **({"x-amz-security-token": token[0]} if token else {}),
        "x-amz-target": f"DynamoDB_20120810.{operation}",
    }
    form = request_form("POST", "/", signed, hashlib.sha256(body).hexdigest())
    signature = sign_form(form, secret, moment, region, "dynamodb")
    scope = scope_of(moment, region, "dynamodb")
    return {
        **signed,
        "user-agent": USER_AGENT,
        "authorization": authorization(access, scope, signed, signature),
    }
