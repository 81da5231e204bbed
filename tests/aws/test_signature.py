"""Requests are signed as botocore signs them, whatever is in them."""

from __future__ import annotations

import string
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws.signature import authorization, request_form, scope_of, sign

WORDS = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    key=WORDS,
    more=st.dictionaries(WORDS.map("x-amz-{}".format).map(str.lower), WORDS, max_size=3),
    secret=st.text(string.printable, min_size=1, max_size=40),
    service=st.sampled_from(["dynamodb", "s3"]),
    day=st.integers(1, 28),
)
def test_the_header_is_that_of_botocore(
    method: str, key: str, more: dict[str, str], secret: str, service: str, day: int
) -> None:
    moment, region, content = f"202611{day:02d}T050003Z", "eu-west-1", "0f" * 32
    headers = {"host": "example.org", "x-amz-content-sha256": content, "x-amz-date": moment} | more
    headers = dict(sorted(headers.items()))
    request: Any = AWSRequest(method, f"https://example.org/{key}", headers)
    request.context["timestamp"] = moment
    signer: Any = SigV4Auth(Credentials("AKID", secret), service, region)

    form = request_form(method, f"/{key}", headers, content)
    signature = sign(form, secret, moment, region, service)

    assert form == signer.canonical_request(request)
    assert signature == signer.signature(signer.string_to_sign(request, form), request)
    assert authorization("AKID", scope_of(moment, region, service), headers, signature) == (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={';'.join(headers)}, Signature={signature}"
    )
