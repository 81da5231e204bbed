"""Buckets that S3 can have, and that every page can sign addresses in."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.config import Config
from hypothesis import example, given
from hypothesis import strategies as st

from tessera.tiling.manifest.sources import bucket_problem, source_problem
from tests.tiling.folder import grouped, settings

S3 = boto3.client(
    "s3",
    region_name="eu-central-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
    config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
)

NAMES = st.one_of(
    st.text(min_size=1, max_size=70),
    st.text("aZ0.-_", min_size=1, max_size=70),
    st.text("aZ_", min_size=240, max_size=260),
    st.from_regex(r"[a-z0-9.]{1,12}(--x-s3|[.]mrap|-s3alias|--ol-s3)", fullmatch=True),
    st.from_regex(r"arn:aws:s3[a-z-]*:[a-z0-9-]*:[0-9]{0,12}:[a-z]*[:/]?[a-z]*", fullmatch=True),
)


@given(bucket=NAMES, key=st.text(min_size=1, max_size=300))
@example("pets", "a/../b")
@example("a1b-s3alias", "1.jpg")
def test_whatever_passes_the_door_can_be_signed(bucket: str, key: str) -> None:
    uri = f"s3://{bucket}/{key}"
    try:
        usable = not source_problem(uri)
    except UnicodeEncodeError:  # half a character, which no decoded line holds
        return
    if usable:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        address = S3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
        assert bucket in address


@pytest.mark.parametrize(
    "name",
    ["pets", "a.b-c", "0pets9", "p" * 63, "Pets_2014", "P" * 255, "team-abc123-s3alias"],
)
def test_a_bucket_that_s3_can_have_is_taken(name: str) -> None:
    assert not bucket_problem(name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    [
        "<bucket>", "${BUCKET}", "{{bucket}}", "your bucket", " pets", "pets ", "pets\n", "péts",
        "pets?", "pets#1", "pets%20", "user@pets", "pets:80", "pe", "p", "p" * 64, "P" * 256,
        ".pets", "pets.", "-pets", "pets-", "_pets", "pe..ts", "192.168.5.4", "pets--x-s3",
        "m1.mrap", "rows--table-s3", "arn:aws:s3:::pets",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint:pets",
        "arn:aws-cn:s3-object-lambda:cn-north-1:123456789012:accesspoint", "٣٣٣", "pets\u200b",
    ],
)  # fmt: skip
def test_a_bucket_that_s3_cannot_have_is_refused_by_itself(name: str) -> None:
    assert bucket_problem(name)
    good = [b'{"source-ref": "s3://pets/%d"}' % i for i in range(20)]
    bad = f'{{"source-ref": {json.dumps(f"s3://{name}/1")}}}'.encode()
    for lines in ([bad, *good], [*good, bad], [good[0], bad, *good[1:]]):
        summary, folder = grouped(b"\n".join(lines), settings())
        assert (summary.images, summary.rejected) == (20, 1)
        assert str(folder.rejected()[0]["reason"]).startswith("source-ref: ")
