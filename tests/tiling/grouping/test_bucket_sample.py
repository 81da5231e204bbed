"""A manifest of images in a bucket that does not exist is refused before anybody is asked."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import BucketMissing
from tessera.tiling.grouping.bucket_sample import MOST_BUCKETS, check_buckets
from tessera.tiling.settings import read_settings

HERE = {"pets", "zoo"}
BUCKETS = st.sampled_from(["pets", "zoo", "typo-pets", "nowhere"])


def manifest(buckets: list[str]) -> bytes:
    """One image in each bucket."""
    return b"".join(
        json.dumps({"source-ref": f"s3://{name}/{number}.jpg"}).encode() + b"\n"
        for number, name in enumerate(buckets)
    )


@given(st.lists(BUCKETS), st.sampled_from([0, 0.02, 0.5, 1]), st.booleans())
def test_a_manifest_is_refused_if_more_is_nowhere_than_bad_lines_allow(
    buckets: list[str], allowed: float, packed: bool
) -> None:
    settings = read_settings(json.dumps({"labels": ["a", "b"], "bad_lines": allowed}).encode())
    lines = manifest(buckets)
    chunks = [gzip.compress(lines) if packed else lines]
    nowhere = [name for name in buckets if name not in HERE]
    if len(nowhere) <= allowed * len(buckets):
        check_buckets(chunks, settings, HERE.__contains__)
        return
    with pytest.raises(BucketMissing) as refused:
        check_buckets(chunks, settings, HERE.__contains__)
    assert all(f"s3://{name}" in str(refused.value) for name in nowhere)


def test_only_so_many_buckets_are_asked_for_once_each() -> None:
    asked: list[str] = []
    settings = read_settings(b'{"labels": ["a", "b"]}')

    def exists(name: str) -> bool:
        asked.append(name)
        return True

    lines = manifest([f"bucket-{number}" for number in range(500)] * 2) + b"not a line\n"
    check_buckets([lines], settings, exists)
    assert len(asked) == len(set(asked)) == MOST_BUCKETS
