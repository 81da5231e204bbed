"""Addresses of pictures are at the bucket's own region, in every region that there is."""

from __future__ import annotations

import datetime
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws import presign
from tessera.aws.connection import connect
from tessera.aws.storage import Storage
from tessera.stack.guard import Request, check_signature
from tests.local_server import serving

KEYS = ("AKIDEXAMPLE", "secret")
SESSION = boto3.Session()
CONNECTIONS: dict[Any, Any] = {}
PARTITIONS = SESSION.get_available_partitions()
REGIONS = [
    region
    for partition in PARTITIONS
    for region in SESSION.get_available_regions("s3", partition_name=partition)
]


class Bucket:
    """S3 client of which only the bucket's region is asked; it counts how often."""

    def __init__(self, headers: dict[str, str], *, refuse: bool = False) -> None:
        self.headers, self.refuse, self.asked = headers, refuse, 0

    def head_bucket(self, **_: Any) -> Any:
        self.asked += 1
        answer: Any = {"ResponseMetadata": {"HTTPHeaders": self.headers}}
        if self.refuse:
            raise ClientError(answer | {"Error": {"Code": "403"}}, "HeadBucket")
        return answer


@pytest.mark.thorough
@pytest.mark.parametrize("region", REGIONS)
def test_an_address_is_at_the_regions_own_host(region: str) -> None:
    client = connect(region="us-east-1", credentials=KEYS).signing_client(lambda: region)
    address = urlsplit(
        client.generate_presigned_url("get_object", Params={"Bucket": "pets", "Key": "1.jpg"})
    )
    assert f".{region}." in address.netloc
    assert f"https://{address.netloc}" == client.meta.endpoint_url.replace("//s3", "//pets.s3")
    assert f"/{region}/s3/" in parse_qs(address.query)["X-Amz-Credential"][0]


def test_a_dotted_bucket_keeps_to_the_path_since_no_certificate_covers_it_as_a_host() -> None:
    client = connect(region="eu-west-1", credentials=KEYS).signing_client()
    address = client.generate_presigned_url("get_object", Params={"Bucket": "my.pets", "Key": "1"})
    assert address.startswith("https://s3.eu-west-1.amazonaws.com/my.pets/1?")


KEYS_OF_OBJECTS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(st.sampled_from(["a", "/", "//", "..", "~", "+", "%", " ", "#", "?", "&", "é", "😀"]))
    .map("".join)
    .filter(bool),
)


@given(
    key=KEYS_OF_OBJECTS,
    bucket=st.sampled_from(["pets", "my.pets", "pets-2"]),
    endpoint=st.sampled_from([None, "http://127.0.0.1:4566", "http://s3.test:80"]),
    keys=st.sampled_from([KEYS, (*KEYS, "token+/=")]),
    seconds=st.sampled_from([1, 900, 28_800, 604_800]),
)
def test_an_address_is_the_one_that_boto3_makes(
    key: str, bucket: str, endpoint: str | None, keys: Any, seconds: int
) -> None:
    """Signed without boto3's work for each call, it is the same to the byte, or refused alike."""
    connection = CONNECTIONS.setdefault((endpoint, keys), connect(endpoint, "eu-west-1", keys))
    storage = Storage(lambda: Bucket({}), connection.signing_client, keys)  # type: ignore[arg-type, return-value]  # the calls it gets, no more
    now = datetime.datetime(2026, 11, 26, 4, 0, 0, tzinfo=datetime.UTC)
    made: list[str | type] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: now)
        patch.setattr(presign, "current_time", now.timestamp)
        client = connection.signing_client()
        for sign in (
            lambda: client.generate_presigned_url(
                "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
            ),
            lambda: storage.presign(f"s3://{bucket}/{key}", seconds),
        ):
            try:
                made.append(sign())
            except ValueError as error:
                made.append(type(error))
    assert made[0] == made[1]


class Heads(BaseHTTPRequestHandler):
    """S3 that answers HEAD; requests that boto3 did not make get the status of the server's turn.

    Every request must be signed as the local stack's guard wants it, which has botocore's signer.
    """

    def do_HEAD(self) -> None:
        """Answer with an object's headers."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        check_signature(Request("HEAD", self.path, "", headers), b"", dict([KEYS]).get, time.time())
        is_own = "amz-sdk-invocation-id" not in headers
        self.server.asked.append(is_own)  # type: ignore[attr-defined]  # set by the test
        self.send_response(self.server.status if is_own else 200)  # type: ignore[attr-defined]  # as above
        self.send_header("ETag", '"7"')
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 04:00:00 GMT")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.mark.parametrize("keys", [KEYS, (*KEYS, "token+/=")], ids=["keys", "session"])
@pytest.mark.parametrize(
    ("status", "asked"), [(200, [True]), (403, [True, False]), (503, [True, False])]
)
def test_a_picture_is_looked_at_without_boto3_and_by_boto3_where_that_is_refused(
    status: int, asked: list[bool], keys: Any
) -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Heads)) as server:
        server.asked, server.status = [], status  # type: ignore[attr-defined]  # what the handler reads
        storage = connect(f"http://127.0.0.1:{server.server_port}", "us-east-1", keys).storage
        put = datetime.datetime(2026, 11, 26, 4, tzinfo=datetime.UTC).timestamp()
        assert storage.etag("s3://pets/May/Tom 1+%.jpg") == '"7"'
        assert storage.etag("s3://pets/1.jpg", by=put) == '"7"'
        assert storage.etag("s3://pets/1.jpg", by=put - 1) == ""
        assert server.asked == 3 * asked  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://host.docker.internal:4566"])
def test_an_embedded_aws_keeps_its_address(endpoint: str) -> None:
    storage = Storage(
        lambda: Bucket({}),  # type: ignore[arg-type, return-value]  # the calls it gets, no more
        connect(endpoint, "us-east-1", KEYS).signing_client,
    )
    assert storage.presign("s3://pets/1.jpg", 60).startswith(f"{endpoint}/pets/1.jpg?")


@pytest.mark.parametrize("refuse", [False, True], ids=["allowed", "refused"])
def test_a_bucket_elsewhere_is_signed_for_its_region_which_is_asked_once(refuse: bool) -> None:
    bucket = Bucket({"x-amz-bucket-region": "ap-southeast-3"}, refuse=refuse)
    storage = Storage(
        lambda: bucket,  # type: ignore[arg-type, return-value]  # the calls it gets, no more
        connect(region="eu-west-1", credentials=KEYS).signing_client,
    )
    for picture in range(3):
        address = storage.presign(f"s3://pets/{picture}.jpg", 60)
        assert address.startswith(f"https://pets.s3.ap-southeast-3.amazonaws.com/{picture}.jpg?")
    assert bucket.asked == 1


def test_a_region_that_was_not_told_is_asked_again() -> None:
    bucket = Bucket({}, refuse=True)
    storage = Storage(
        lambda: bucket,  # type: ignore[arg-type, return-value]  # the calls it gets, no more
        connect(region="eu-west-1", credentials=KEYS).signing_client,
    )
    assert "pets.s3.eu-west-1." in storage.presign("s3://pets/1.jpg", 60)
    bucket.headers = {"x-amz-bucket-region": "ap-southeast-3"}
    assert "pets.s3.ap-southeast-3." in storage.presign("s3://pets/1.jpg", 60)


def test_an_embedded_aws_is_not_asked_for_a_region() -> None:
    bucket = Bucket({})
    storage = Storage(
        lambda: bucket,  # type: ignore[arg-type, return-value]  # the calls it gets, no more
        connect("http://127.0.0.1:4566", "us-east-1", KEYS).signing_client,
    )
    storage.presign("s3://pets/1.jpg", 60)
    assert bucket.asked == 0


@pytest.mark.thorough
@pytest.mark.parametrize("theirs", REGIONS)
def test_whatever_a_buckets_region_is_the_address_of_any_key_is_there(theirs: str) -> None:
    """The global host answers 400 in regions since 2019, and 307 for a bucket's first day."""
    storage = Storage(
        lambda: Bucket({"x-amz-bucket-region": theirs}),  # type: ignore[arg-type, return-value]  # the calls it gets
        connect(region="us-east-1", credentials=KEYS).signing_client,
    )
    address = urlsplit(storage.presign("s3://pets/May/Tom 1+%.jpg", 60))
    assert address.netloc.startswith(f"pets.s3.{theirs}.")
    assert address.path == "/May/Tom%201%2B%25.jpg"
    assert f"/{theirs}/s3/" in parse_qs(address.query)["X-Amz-Credential"][0]
