"""A large object is read to its end, however often the connection breaks."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws.storage import READ_ATTEMPTS, Stream

ADDRESS = {"Bucket": "inbox", "Key": "pets.manifest"}


class Body:
    """Body that breaks after so many bytes, in the middle of a read if need be."""

    def __init__(self, content: bytes, breaks_after: int | None) -> None:
        self._file = io.BytesIO(content)
        self._left = breaks_after

    def read(self, size: int) -> bytes:
        if self._left is not None and self._left < size:
            raise IncompleteReadError(actual_bytes=self._left, expected_bytes=size)
        chunk = self._file.read(size)
        if self._left is not None:
            self._left -= len(chunk)
        return chunk


class S3:
    """S3 with one object, whose bodies break as the list says, one entry a request."""

    def __init__(self, content: bytes, breaks: list[int | None]) -> None:
        self.content, self.breaks, self.etag = content, breaks, '"1"'

    def get_object(self, *, Range: str = "bytes=0-", IfMatch: str = "", **_: Any) -> Any:
        if IfMatch not in ("", self.etag):
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        rest = self.content[int(Range.removeprefix("bytes=").rstrip("-")) :]
        breaks_after = self.breaks.pop(0) if self.breaks else None
        return {"Body": Body(rest, breaks_after), "ETag": self.etag, "ContentLength": len(rest)}


def read(s3: Any, size: int) -> bytes:
    stream = Stream(s3, ADDRESS)
    return b"".join(iter(lambda: stream.read(size), b""))


@given(
    content=st.binary(max_size=200),
    size=st.integers(1, 50),
    breaks=st.lists(st.integers(0, 200), max_size=READ_ATTEMPTS - 1),
)
def test_the_bytes_are_all_there_and_in_order(content: bytes, size: int, breaks: list[int]) -> None:
    assert read(S3(content, list(breaks)), size) == content


def test_an_object_that_changed_meanwhile_is_an_error_and_no_mixture() -> None:
    s3 = S3(b"0123456789", [4])
    stream = Stream(s3, ADDRESS)  # type: ignore[arg-type]  # the calls it gets, no more
    assert stream.read(4) == b"0123"
    s3.etag = '"2"'
    with pytest.raises(ClientError, match="PreconditionFailed"):
        stream.read(4)


def test_a_connection_that_never_holds_is_an_error_in_the_end() -> None:
    with pytest.raises(IncompleteReadError):
        read(S3(b"0123456789", [0] * READ_ATTEMPTS), 4)
