"""Check S3 URIs of images by S3's own rules, so that no page has to sign what cannot exist."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_KEY_BYTES = 1024
"""S3's limit for an object's key."""
MAX_BUCKET_CHARACTERS = 63
"""S3's limit for a bucket's name."""
MAX_OLD_BUCKET_CHARACTERS = 255
"""S3's limit for buckets made in us-east-1 before March 2018, which may have capitals and `_`."""

_S3_URI = re.compile(r"s3://([^/]+)/(.+)", re.DOTALL)
_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", re.ASCII)
_OLD_CHARACTER = re.compile(r"[A-Z_]")
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_UNSIGNABLE = (
    ("--x-s3", "a directory bucket, whose objects have no addresses that a browser can open"),
    (".mrap", "a multi-region access point; name the bucket"),
    ("--table-s3", "a table bucket, which holds no images"),
)
"""Endings that S3 reserves for what is no bucket of pictures, and what each says it is."""


def source_problem(uri: str) -> str:
    """Return why this cannot be the URI of an image in S3; empty if it can.

    >>> source_problem("s3://<bucket>/1.jpg")
    "source-ref: S3 has no bucket named '<bucket>': letters, digits, dots and hyphens only"
    """
    if uri.startswith("arn:"):
        return "source-ref: an ARN; write s3://bucket/key"
    match = _S3_URI.fullmatch(uri)
    if not match:
        return "source-ref: not an S3 URI such as s3://bucket/key"
    if problem := bucket_problem(match[1]):
        return f"source-ref: {problem}"
    # A quarter of the limit in characters cannot exceed it in bytes; most keys are not encoded.
    if len(uri) > MAX_KEY_BYTES // 4 and len(match[2].encode()) > MAX_KEY_BYTES:
        return f"source-ref: the key is longer than {MAX_KEY_BYTES} bytes"
    return ""


def bucket_of(uri: str) -> str:
    """Return the bucket of an image whose URI has no problem.

    >>> bucket_of("s3://pets/cats/tom.jpg")
    'pets'
    """
    return uri.split("/", 3)[2]


@lru_cache(maxsize=1024)  # a manifest names few buckets on many lines
def bucket_problem(name: str) -> str:
    """Return why S3 cannot have a bucket of images of this name; empty if it can.

    The rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html. Names
    that only buckets from before 2018 may have are let through, since there still are such buckets.
    """
    if name.startswith("arn:"):
        return "the ARN of an access point; name the bucket, or the access point's alias"
    excerpt = repr(name if len(name) <= 80 else name[:77] + "...")
    for ending, meaning in _UNSIGNABLE:
        if name.endswith(ending):
            return f"{excerpt} is {meaning}"
    if len(name) < 3:
        return f"S3 has no bucket named {excerpt}: shorter than 3 characters"
    is_old = _OLD_CHARACTER.search(name)
    if len(name) > (MAX_OLD_BUCKET_CHARACTERS if is_old else MAX_BUCKET_CHARACTERS):
        return "the bucket's name is longer than S3 allows"
    if not _BUCKET_NAME.fullmatch(name):
        return f"S3 has no bucket named {excerpt}: {_spelling_problem(name)}"
    if ".." in name:
        return f"S3 has no bucket named {excerpt}: two dots in a row"
    if _IP_ADDRESS.fullmatch(name):
        return f"S3 has no bucket named {excerpt}: an IP address"
    return ""


def _spelling_problem(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._-]+", name, re.ASCII):
        return "it has to begin and end with a letter or digit"
    return "letters, digits, dots and hyphens only"
