"""Sign addresses of one bucket's objects by Signature Version 4, and look at objects signed so.

A page has twenty addresses, which differ by their keys alone. boto3 makes each with all its checks,
and sends a request through some two hundred functions; twenty of either took as long as all else of
a claim or an answer together. The addresses are boto3's to the byte (tests/aws/test_presign.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from tessera.aws.signature import (
    ALGORITHM,
    Signer,
    authorization,
    request_form,
    scope_of,
    signer_of,
)

if TYPE_CHECKING:
    from botocore.httpsession import URLLib3Session

Credentials: TypeAlias = tuple[str, str] | tuple[str, str, str]
"""Access key, its secret, and the token of a session if it is one."""

UNSIGNED = "UNSIGNED-PAYLOAD"
"""Hash of the body in a signature where there is no body."""

TIMEOUT = 5
"""Seconds to wait for a connection, or for an answer; whoever gets none asks again by boto3."""

CONNECTIONS = 64
"""Connections that are kept: as many as boto3's client of S3 keeps (`tessera.aws.connection`)."""


class Scope(NamedTuple):
    """Parts of a signature that are the same for all addresses of one second.

    `query` is as it stands in an address, `canonical` as it is signed, in alphabetical order;
    `headers` are those of a request that is signed by them, and `signer` signs both.
    """

    name: str
    query: str
    canonical: str
    headers: dict[str, str]
    signer: Signer


class Presigner:
    """Signer of the objects of one bucket, by keys that do not change."""

    def __init__(self, place: str, region: str, credentials: Credentials) -> None:
        """Keep where the bucket is: the address of its objects up to their keys."""
        self._place, self._region, self._credentials = place, region, credentials
        scheme, host, self._path, *_ = urlsplit(place)
        # A scheme's own port is not in the header that is signed.
        self._host = host.removesuffix(":443" if scheme == "https" else ":80")
        # Kept with this object, for a signer lives as long as its session.
        self._scope = lru_cache(maxsize=4)(self._make_scope)

    def address(self, key: str, seconds: int) -> str:
        """Return an address at which anyone may get the object for so many seconds from now."""
        scope = self._scope(int(current_time()), seconds)
        name = quote(key, safe="/~")
        headers = {"host": self._host}
        form = request_form("GET", self._path + name, headers, UNSIGNED, query=scope.canonical)
        return f"{self._place}{name}?{scope.query}&X-Amz-Signature={scope.signer.sign(form)}"

    def _make_scope(self, now: int, seconds: int) -> Scope:
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        access, secret, *token = self._credentials
        scope = scope_of(moment, self._region, "s3")
        fields = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{access}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
            **({"X-Amz-Security-Token": token[0]} if token else {}),
        }
        pairs = [f"{name}={quote(value, safe='-._~')}" for name, value in fields.items()]
        headers = {
            "x-amz-content-sha256": UNSIGNED,
            "x-amz-date": moment,
            **({"x-amz-security-token": token[0]} if token else {}),
        }
        signer = signer_of(secret, moment, self._region, "s3")
        return Scope(scope, "&".join(pairs), "&".join(sorted(pairs)), headers, signer)

    def head(self, key: str) -> Mapping[str, str] | None:
        """Return the headers of an object, or None if S3 did not give them at the first try."""
        from botocore.awsrequest import AWSRequest  # late: loading it takes a cold start's time
        from botocore.exceptions import HTTPClientError

        name = quote(key, safe="/~")
        headers = self._signed_headers("HEAD", name)
        request: Any = AWSRequest("HEAD", self._place + name, headers).prepare()
        try:
            response = self._http.send(request)
        except HTTPClientError:
            return None
        return response.headers if response.status_code == 200 else None

    def _signed_headers(self, method: str, name: str) -> dict[str, str]:
        """Return the headers of a request for a quoted key, signed.

        Not in its address: a session's token is long, and HTTP clients look at each character.
        """
        scope = self._scope(int(current_time()), 0)
        signed = {"host": self._host, **scope.headers}
        signature = scope.signer.sign(request_form(method, self._path + name, signed, UNSIGNED))
        proof = authorization(self._credentials[0], scope.name, signed, signature)
        return {**scope.headers, "authorization": proof}

    @cached_property
    def _http(self) -> URLLib3Session:
        """Connections to the bucket, through the proxy that boto3 would take."""
        from botocore.httpsession import URLLib3Session  # late, as above
        from botocore.utils import get_environ_proxies

        return URLLib3Session(
            proxies=get_environ_proxies(self._place),
            timeout=TIMEOUT,
            max_pool_connections=CONNECTIONS,
        )


def current_time() -> float:
    """Return the time that an address is signed for, in seconds since the epoch."""
    return time.time()
