"""Sign requests by Signature Version 4, whose form and order AWS prescribes.

boto3 does the same through some two hundred functions, too many where a worker waits. What is
signed here is boto3's to the byte (tests/aws/test_presign.py, tests/aws/test_table_requests.py).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

ALGORITHM = "AWS4-HMAC-SHA256"


def scope_of(moment: str, region: str, service: str) -> str:
    """Return what a signature is good for: a service's requests in a region on one day.

    >>> scope_of("20261126T050003Z", "us-east-1", "s3")
    '20261126/us-east-1/s3/aws4_request'
    """
    return f"{moment[:8]}/{region}/{service}/aws4_request"


def request_form(
    method: str, path: str, headers: Mapping[str, str], content: str, *, query: str = ""
) -> str:
    """Return the canonical form of a request, which is signed.

    The headers and the query are in alphabetical order; `content` is the body's hash.
    """
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(headers)}\n{content}"


class Signer(NamedTuple):
    """Signer of the requests of one second; `heading` stands before each request's hash."""

    heading: str
    key: bytes

    def sign(self, form: str) -> str:
        """Return the signature of a request in its canonical form."""
        text = self.heading + hashlib.sha256(form.encode()).hexdigest()
        return hmac.digest(self.key, text.encode(), "sha256").hex()


def signer_of(secret: str, moment: str, region: str, service: str) -> Signer:
    """Return the signer of a service's requests in a region at a moment."""
    heading = f"{ALGORITHM}\n{moment}\n{scope_of(moment, region, service)}\n"
    return Signer(heading, day_key(secret, moment[:8], region, service))


def sign(form: str, secret: str, moment: str, region: str, service: str) -> str:
    """Return the signature of a request in its canonical form."""
    return signer_of(secret, moment, region, service).sign(form)


def authorization(access: str, scope: str, headers: Mapping[str, str], signature: str) -> str:
    """Return the header that has the signature, with the key and the headers that it is of."""
    return (
        f"{ALGORITHM} Credential={access}/{scope}, SignedHeaders={';'.join(headers)}, "
        f"Signature={signature}"
    )


@lru_cache(maxsize=64)
def day_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key that signs a service's requests in a region on one day."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
