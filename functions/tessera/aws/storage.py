"""S3 as files: read a range, stream lines, write once, write large.

Everything takes an `s3://bucket/key` URI. AWS's own errors pass through unwrapped, so that a
`Retry` in the state machine still sees them; an absent object is botocore's `NoSuchKey`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, Self

from tessera.aws.clients import s3

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

CHUNK = 8 * 1024 * 1024
"""Bytes a streamed read or a part of a multipart upload holds at a time."""


def split(uri: str) -> tuple[str, str]:
    """The bucket and the key of an S3 URI.

    >>> split("s3://pets/cats/tom+1%.jpg")
    ('pets', 'cats/tom+1%.jpg')
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is not an S3 URI such as s3://bucket/key")
    return bucket, key


def _place(uri: str, version_id: str | None = None) -> dict[str, Any]:
    bucket, key = split(uri)
    return {"Bucket": bucket, "Key": key} | ({"VersionId": version_id} if version_id else {})


def read(uri: str, version_id: str | None = None) -> bytes:
    """The whole object."""
    return s3().get_object(**_place(uri, version_id))["Body"].read()


def read_range(uri: str, start: int, end: int) -> bytes:
    """The bytes from `start` up to, not including, `end`."""
    return s3().get_object(**_place(uri), Range=f"bytes={start}-{end - 1}")["Body"].read()


def beginning(uri: str, most: int) -> bytes | None:
    """The object's first bytes, `most` at most; nothing if it is not there."""
    try:
        body = s3().get_object(**_place(uri))["Body"]
    except Exception as error:
        if is_absence(error):
            return None
        raise
    with body:
        return body.read(most)


def is_absence(error: Exception) -> bool:
    """Whether an error is S3's way of saying that there is no such object, or no such version."""
    said = getattr(error, "response", {}).get("Error", {}).get("Code")
    return said in {"404", "NoSuchKey", "NoSuchVersion"}


def exists(uri: str) -> bool:
    """Whether the object is there."""
    return size(uri) is not None


def size(uri: str) -> int | None:
    """The object's bytes, counted; nothing if it is not there."""
    try:
        return s3().head_object(**_place(uri))["ContentLength"]
    except Exception as error:
        if is_absence(error):
            return None
        raise


def chunks(
    uri: str, version_id: str | None = None, *, gone: Exception | None = None
) -> Iterator[bytes]:
    """The object's bytes, a bounded piece at a time; the next one comes while this one is used.

    `gone` is raised if there is no such object, instead of S3's own error.
    """
    try:
        body = s3().get_object(**_place(uri, version_id))["Body"]
    except Exception as error:
        if gone is not None and is_absence(error):
            raise gone from error
        raise
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(body.read, CHUNK)
        while piece := coming.result():
            coming = ahead.submit(body.read, CHUNK)
            yield piece


def lines(uri: str, version_id: str | None = None) -> Iterator[bytes]:
    """The object's lines without their line ends; memory holds one piece and one line."""
    rest = b""
    for piece in chunks(uri, version_id):
        whole = (rest + piece).split(b"\n")
        rest = whole.pop()
        yield from whole
    if rest:
        yield rest


def uris(prefix: str) -> Iterator[str]:
    """The URIs of the objects under a prefix, in key order."""
    bucket, key = split(prefix)
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for entry in page.get("Contents", []):
            yield f"s3://{bucket}/{entry['Key']}"


def write(uri: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
    """Put one object, whole, replacing what was there."""
    s3().put_object(**_place(uri), Body=data, ContentType=content_type)


def create(uri: str, data: bytes, *, content_type: str = "application/octet-stream") -> bool:
    """Put one object unless it is there already; false when it is.

    S3 decides (`If-None-Match`), so of two callers at the same time exactly one gets true.
    """
    from botocore.exceptions import ClientError

    try:
        s3().put_object(**_place(uri), Body=data, ContentType=content_type, IfNoneMatch="*")
    except ClientError as error:
        # A conflict is another conditional write to the same key that has not ended yet.
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
            return False
        raise
    return True


def read_tagged(uri: str) -> tuple[bytes, str]:
    """The whole object and the ETag that it has now, for a later `replace`."""
    answer = s3().get_object(**_place(uri))
    return answer["Body"].read(), answer["ETag"]


def replace(uri: str, data: bytes, etag: str) -> bool:
    """Put one object in the place of the one with this ETag; false if another came before."""
    from botocore.exceptions import ClientError

    try:
        s3().put_object(**_place(uri), Body=data, IfMatch=etag)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
            return False
        raise
    return True


def signed_url(uri: str, seconds: int) -> str:
    """An HTTPS address from which anyone can read the object for so many seconds."""
    return s3().generate_presigned_url("get_object", Params=_place(uri), ExpiresIn=seconds)


class Writer:
    """An object written piece by piece: small ones in one put, large ones in parallel parts.

    The object appears when the `with` block ends well, and not at all when it fails.
    """

    def __init__(self, uri: str, content_type: str = "application/octet-stream") -> None:
        """Start a new object at `uri`; nothing is sent before a part is full."""
        self._place = _place(uri)
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload: str | None = None
        self._parts: list[Future[str]] = []
        self._pool = ThreadPoolExecutor(2)

    def write(self, data: bytes) -> None:
        """Add bytes to the end."""
        self._buffer += data
        if len(self._buffer) >= CHUNK:
            self._send()

    def _send(self) -> None:
        if self._upload is None:
            made = s3().create_multipart_upload(**self._place, ContentType=self._content_type)
            self._upload = made["UploadId"]
        if len(self._parts) >= 2:  # at most two parts in memory besides the buffer
            self._parts[-2].result()
        number, part = len(self._parts) + 1, self._buffer
        self._buffer = bytearray()
        self._parts.append(self._pool.submit(self._put_part, number, part))

    def _put_part(self, number: int, part: Any) -> str:  # a bytearray, which the types leave out
        answer = s3().upload_part(
            **self._place, UploadId=self._upload or "", PartNumber=number, Body=part
        )
        return answer["ETag"]

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the object, or leave nothing behind after an error."""
        try:
            if kind is None:
                self._complete()
        except BaseException:
            self._abort()
            raise
        else:
            if kind is not None:
                self._abort()
        finally:
            self._pool.shutdown()

    def _complete(self) -> None:
        if self._upload is None:
            s3().put_object(**self._place, Body=bytes(self._buffer), ContentType=self._content_type)
            return
        if self._buffer:
            self._send()
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": part.result()}
            for number, part in enumerate(self._parts, start=1)
        ]
        s3().complete_multipart_upload(
            **self._place, UploadId=self._upload, MultipartUpload={"Parts": parts}
        )

    def _abort(self) -> None:
        if self._upload is not None:
            s3().abort_multipart_upload(**self._place, UploadId=self._upload)


def writer(uri: str, *, content_type: str = "application/octet-stream") -> Writer:
    """A `with` block's writer of one object of any size."""
    return Writer(uri, content_type)


def download(uri: str, file: IO[bytes], version_id: str | None = None) -> None:
    """Copy the object into an open file, in parallel ranges."""
    bucket, key = split(uri)
    s3().download_fileobj(
        bucket, key, file, ExtraArgs={"VersionId": version_id} if version_id else {}
    )
