"""What S3 says of a manifest's first pictures is told, or refuses the manifest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws.storage import Head
from tessera.tiling.errors import BucketUnreadable
from tessera.tiling.grouping.picture_sample import SAMPLE, check_pictures
from tessera.tiling.settings import read_settings

GOOD = Head(9, "image/jpeg")
HEADS = st.sampled_from(
    [GOOD, Head(9, "binary/octet-stream"), Head(0, "image/png"), Head(9, "text/html; charset=u"),
     403, 404, 400, OSError("the network")]
)  # fmt: skip
TOLD = {Head(0, "image/png"), Head(9, "text/html; charset=u"), 403, 404}
PICTURES = st.lists(st.tuples(st.sampled_from(["pets", "theirs"]), HEADS), max_size=SAMPLE + 9)
GROUND_TRUTH = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/cats"


@given(PICTURES, st.sampled_from([0, 0.1, 0.5, 1]), st.booleans())
def test_what_cannot_be_shown_is_told_and_a_bucket_that_is_refused_whole_refuses_the_manifest(
    pictures: list[tuple[str, Head | int | OSError]], allowed: float, on_the_portal: bool
) -> None:
    made = {"labels": ["a", "b"], "bad_lines": allowed}
    settings = read_settings(
        json.dumps(made | ({} if on_the_portal else {"workforce": GROUND_TRUTH})).encode()
    )
    heads = {f"s3://{bucket}/{n}.jpg": head for n, (bucket, head) in enumerate(pictures)}
    manifest = b"".join(json.dumps({"source-ref": uri}).encode() + b"\n" for uri in heads)

    def head(uri: str, *, requester_pays: bool = False) -> Head | int:
        answer = heads[uri]
        if isinstance(answer, OSError):
            raise answer
        return answer

    first = pictures[:SAMPLE]
    refused = sum(
        sum(name == bucket for name, _ in first)
        for bucket in ("pets", "theirs")
        if all(answer == 403 for name, answer in first if name == bucket)
    )
    if on_the_portal and refused > allowed * len(first):
        with pytest.raises(BucketUnreadable, match=rf"S3 refuses {refused} of the first"):
            check_pictures([manifest], settings, head)
        return

    notices = check_pictures([manifest], settings, head)

    faulty = sum(answer in TOLD for _, answer in first if not isinstance(answer, OSError))
    assert bool(notices) is bool(faulty)
    if faulty:
        assert notices[0].startswith(f"{faulty} of the first {len(first)} pictures")


def test_a_bucket_whose_requesters_pay_is_refused_by_name() -> None:
    def head(uri: str, *, requester_pays: bool = False) -> Head | int:
        return GOOD if requester_pays else 403

    with pytest.raises(BucketUnreadable, match=r"s3://theirs is a bucket whose requesters pay"):
        check_pictures(
            [b'{"source-ref": "s3://theirs/1.jpg"}\n'],
            read_settings(b'{"labels": ["a", "b"]}'),
            head,
        )


@given(
    name=st.sampled_from(["1.tif", "1.HEIC", "1.mp4", "1.pdf", "1.txt", "1.zip", "1.json"]),
    kind=st.sampled_from(["", "binary/octet-stream", "application/octet-stream"]),
)
def test_an_object_without_a_media_type_is_known_by_its_name(name: str, kind: str) -> None:
    manifest = (
        b'{"source-ref": "s3://pets/1.jpg"}\n{"source-ref": "s3://pets/%b"}\n' % name.encode()
    )
    run = read_settings(b'{"labels": ["a", "b"]}')

    def head(uri: str, *, requester_pays: bool = False) -> Head | int:
        return Head(9, kind)

    (notice,) = check_pictures([manifest], run, head)
    assert notice.startswith(f"1 of the first 2 pictures cannot be shown: s3://pets/{name} (")
