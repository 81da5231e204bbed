"""S3 as files: get a range, stream lines, put once, write large.

Everything takes an `s3://bucket/key` URI. AWS's own errors pass through unwrapped, so that a
`Retry` in the state machine still sees them; a missing object is botocore's `NoSuchKey`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tessera.aws.presign import Credentials, Presigner

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

    from tessera.portal.ports import Writer

CHUNK = 8 * 1024 * 1024
"""Bytes that a streamed read or a part of a multipart upload holds at a time.

S3 takes parts from 5 MiB on, 10,000 at most: 80 GB, more than any manifest.
"""
READ_ATTEMPTS = 5
"""Times that a chunk is read before a broken connection is an error; boto3 tries as often."""
BINARY = "application/octet-stream"

MISSING = {"404", "NoSuchKey", "NoSuchVersion"}
"""Error codes of an object, or a version of it, that does not exist; HEAD has no body but 404."""
CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict"}
"""Error codes of a conditional put; a conflict is another to the same key that has not ended."""


def split_uri(uri: str) -> tuple[str, str]:
    """Split an S3 URI into its bucket and its key.

    >>> split_uri("s3://pets/cats/tom+1%.jpg")
    ('pets', 'cats/tom+1%.jpg')
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is not an S3 URI such as s3://bucket/key")
    return bucket, key


def is_missing(error: Exception) -> bool:
    """Return whether an error is S3's answer that there is no such object or version."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return code in MISSING


def refusal(error: Exception) -> int:
    """Return the HTTP status with which S3 refused a request (4xx); 0 of any other error."""
    response = getattr(error, "response", {})
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status if 400 <= status < 500 else 0


class Object(NamedTuple):
    """Object as a listing has it: its URI, its size in bytes, and when it was last put."""

    uri: str
    size: int
    modified: datetime


class Head(NamedTuple):
    """Size in bytes and media type of an object."""

    size: int
    content_type: str


def _object(uri: str, version_id: str | None = None) -> dict[str, Any]:
    """Return an object's address as the parameters of a request."""
    bucket, key = split_uri(uri)
    return {"Bucket": bucket, "Key": key} | ({"VersionId": version_id} if version_id else {})


def _ask_region(client: S3Client, bucket: str) -> str:
    """Ask S3 for a bucket's region: every answer's header has it, a refusal's too.

    So no right is needed but to the bucket's objects. A moment of failure may send no such header.
    """
    from botocore.exceptions import ClientError  # late: loading it takes a cold start's time

    try:
        answer: Any = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", ""))


class Stream:
    """Body of an object that goes on where a broken connection left it.

    One GET of a large manifest may last as long as the function runs; botocore repeats a request,
    not a body that breaks off.
    """

    def __init__(self, client: S3Client, address: dict[str, Any]) -> None:
        """Open the object at its start; S3's error if it does not exist."""
        self._client, self._address = client, address
        answer = client.get_object(**address)
        self._body, self._etag = answer["Body"], answer["ETag"]
        self._size, self._position = answer["ContentLength"], 0

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; nothing at the end. Raises S3's error if the object changed."""
        from botocore.exceptions import BotoCoreError  # late: loading it takes a cold start's time

        if self._position == self._size:
            return b""
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                if attempt > 1:
                    self._go_on()
                chunk = self._body.read(size)
                break
            except BotoCoreError:
                if attempt == READ_ATTEMPTS:
                    raise
        self._position += len(chunk)
        return chunk

    def _go_on(self) -> None:
        """Get the rest of the same object again."""
        rest = f"bytes={self._position}-"
        answer = self._client.get_object(**self._address, Range=rest, IfMatch=self._etag)
        self._body = answer["Body"]


class Storage:
    """Objects of S3, by URI."""

    def __init__(
        self,
        client: Callable[[], S3Client],
        signing_client: Callable[[Callable[[], str]], S3Client] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """Keep what gives the clients; each is made at the first call that needs it.

        `signing_client` gives the one that signs addresses of buckets in a region; `credentials`
        are the keys of both where they were given, and None where boto3 finds them.
        """
        self._client = client
        self._signing_client = signing_client or (lambda _: client())
        self._credentials = credentials
        self._regions: dict[str, str] = {}
        self._presigners: dict[tuple[str, str], Presigner] = {}

    def get(self, uri: str, version_id: str | None = None) -> bytes:
        """Return the whole object."""
        return self._client().get_object(**_object(uri, version_id))["Body"].read()

    def get_or_raise(self, uri: str, if_missing: Exception) -> bytes:
        """Return the whole object; raise `if_missing` if it does not exist, not S3's own error."""
        try:
            return self.get(uri)
        except Exception as error:
            if is_missing(error):
                raise if_missing from error
            raise

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""
        part = f"bytes={start}-{end - 1}"
        return self._client().get_object(**_object(uri), Range=part)["Body"].read()

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, at most `limit`, or None if it does not exist."""
        try:
            body = self._client().get_object(**_object(uri))["Body"]
        except Exception as error:
            if is_missing(error):
                return None
            raise
        with body:
            return body.read(limit)

    def get_if_allowed(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, at most `limit`, or None if S3 refuses it (4xx)."""
        try:
            return self.get_up_to(uri, limit)
        except Exception as error:
            # By name, as elsewhere here: an address that no object can have is refused, too.
            if refusal(error) or type(error).__name__ in ("ParamValidationError", "ValueError"):
                return None
            raise

    def get_with_etag(self, uri: str) -> tuple[bytes, str]:
        """Return the whole object and the ETag that it has now, for a later `put_if_match`."""
        answer = self._client().get_object(**_object(uri))
        return answer["Body"].read(), answer["ETag"]

    def size(self, uri: str, version_id: str | None = None) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""
        head = self._head(uri, version_id)
        return head["ContentLength"] if head else None

    def _head(self, uri: str, version_id: str | None = None) -> HeadObjectOutputTypeDef | None:
        """Return what S3 says of an object, or None if it does not exist."""
        try:
            return self._client().head_object(**_object(uri, version_id))
        except Exception as error:
            if is_missing(error):
                return None
            raise

    def head(self, uri: str, *, requester_pays: bool = False) -> Head | int:
        """Return the object's size and media type, or the HTTP status of S3's refusal (4xx).

        With `requester_pays`, the request is one of an account that pays for what others own.
        """
        payer: dict[str, Any] = {"RequestPayer": "requester"} if requester_pays else {}
        try:
            answer = self._client().head_object(**_object(uri), **payer)
        except Exception as error:
            if status := refusal(error):
                return status
            raise
        return Head(answer["ContentLength"], answer.get("ContentType", BINARY))

    def version_id(self, uri: str) -> str:
        """Return the ID of the object's newest version; "" without a version or an object."""
        head = self._head(uri)
        version = head.get("VersionId", "") if head else ""
        return "" if version == "null" else version

    def is_etag_md5(self, uri: str, version_id: str | None = None) -> bool:
        """Return whether the object's ETag is the MD5 of its content, or there is no such object.

        S3 has another ETag each time for what a key of KMS encrypts, and for what was uploaded in
        parts one that depends on their size.
        """
        head = self._head(uri, version_id)
        if head is None:
            return True
        by_kms = head.get("ServerSideEncryption", "AES256") != "AES256"
        return not (by_kms or "SSECustomerAlgorithm" in head or "-" in head["ETag"])

    def etag(self, uri: str, by: float = math.inf) -> str | None:
        """Return the ETag of the object's content; None if S3 refuses it, or has no such object.

        Of an object that was put after `by`, in seconds since the epoch, it is "".
        """
        try:
            etag, modified = self._version(**_object(uri))
            return etag if modified.timestamp() <= by else ""
        except Exception as error:
            # By name: importing botocore's errors costs a cold start.
            if type(error).__name__ in ("ClientError", "ParamValidationError", "ValueError"):
                return None
            raise

    def _version(self, Bucket: str, Key: str) -> tuple[str, datetime]:
        """Return an object's ETag and when it was put; boto3's error if S3 does not tell."""
        presigner = self._presigner(Bucket) if Key else None
        if presigner and (headers := presigner.head(Key)):
            from email.utils import parsedate_to_datetime  # late: a cold start would load it alone

            return headers["ETag"], parsedate_to_datetime(headers["Last-Modified"])
        head = self._client().head_object(Bucket=Bucket, Key=Key)
        return head["ETag"], head["LastModified"]

    def bucket_exists(self, bucket: str) -> bool:
        """Return whether there is a bucket of this name, anybody's; no right to it is needed."""
        try:
            self._client().head_bucket(Bucket=bucket)
        except Exception as error:
            # A refusal (403) or a redirect (301) is of a bucket that exists.
            return not is_missing(error)
        return True

    def exists(self, uri: str, version_id: str | None = None) -> bool:
        """Return whether the object exists."""
        return self.size(uri, version_id) is not None

    def iter_chunks(
        self, uri: str, version_id: str | None = None, *, if_missing: Exception | None = None
    ) -> Iterator[bytes]:
        """Iterate over the object's bytes in chunks; the next one comes while one is used.

        `if_missing` is raised if there is no such object, instead of S3's own error.
        """
        try:
            body = Stream(self._client(), _object(uri, version_id))
        except Exception as error:
            if if_missing is not None and is_missing(error):
                raise if_missing from error
            raise
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(body.read, CHUNK)
            while chunk := coming.result():
                coming = ahead.submit(body.read, CHUNK)
                yield chunk

    def iter_lines(self, uri: str, version_id: str | None = None) -> Iterator[bytes]:
        """Iterate over the object's lines without their ends; memory holds a chunk and a line."""
        rest = b""
        for chunk in self.iter_chunks(uri, version_id):
            whole = (rest + chunk).split(b"\n")
            rest = whole.pop()
            yield from whole
        if rest:
            yield rest

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Iterate over the URIs of the objects under a prefix, in key order."""
        return (entry.uri for entry in self.list_objects(prefix))

    def list_objects(self, prefix: str) -> Iterator[Object]:
        """Iterate over the objects under a prefix, in key order."""
        bucket, key = split_uri(prefix)
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for entry in page.get("Contents", []):
                uri = f"s3://{bucket}/{entry['Key']}"
                yield Object(uri, entry["Size"], entry["LastModified"])

    def list_folders(self, prefix: str) -> Iterator[str]:
        """Iterate over the URIs of the folders right under a prefix; each ends with a slash."""
        bucket, key = split_uri(prefix)
        pages = self._client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=key, Delimiter="/"):
            for folder in page.get("CommonPrefixes", []):
                yield f"s3://{bucket}/{folder['Prefix']}"

    def put(self, uri: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Put one object, whole, replacing what was there."""
        self._client().put_object(**_object(uri), Body=data, ContentType=content_type)

    def put_if_absent(self, uri: str, data: bytes, *, content_type: str = BINARY) -> bool:
        """Put one object unless it exists already; return whether it was put.

        S3 decides (`If-None-Match`), so of two callers at the same time exactly one gets true.
        """
        return self._put_if(uri, data, content_type, IfNoneMatch="*")

    def put_if_match(self, uri: str, data: bytes, etag: str, *, content_type: str = BINARY) -> bool:
        """Put one object in the place of the one with this ETag; return whether it was put."""
        return self._put_if(uri, data, content_type, IfMatch=etag)

    def _put_if(self, uri: str, data: bytes, content_type: str, **condition: Any) -> bool:
        from botocore.exceptions import ClientError  # late: loading it takes a cold start's time

        try:
            self._client().put_object(
                **_object(uri), Body=data, ContentType=content_type, **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in CONDITION_FAILED:
                return False
            raise
        return True

    def delete(self, uri: str) -> None:
        """Delete the object; it may be absent."""
        self._client().delete_object(**_object(uri))

    def upload(self, path: Path, uri: str, *, content_type: str = BINARY) -> None:
        """Put a file, a large one in parallel parts."""
        more = {"ContentType": content_type}
        self._client().upload_file(str(path), *split_uri(uri), ExtraArgs=more)

    def download(self, uri: str, path: Path) -> None:
        """Get an object into a file, a large one in parallel ranges."""
        self._client().download_file(*split_uri(uri), str(path))

    def presign(self, uri: str, seconds: int) -> str:
        """Return an HTTPS address from which anyone can get the object for so many seconds.

        It is at the bucket's own region, which is asked of S3 once a bucket. Raises ValueError for
        what no address can be made of, whatever S3 would say.
        """
        try:
            params = _object(uri)
            presigner = self._presigner(params["Bucket"])
            if presigner and params["Key"]:
                return presigner.address(params["Key"], seconds)
            client = self._signing_client(lambda: self._region(params["Bucket"]))
            return client.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
        except Exception as error:
            # By name, as for missing objects: importing botocore's errors costs a cold start.
            if type(error).__name__ == "ParamValidationError":
                raise ValueError(f"{uri!r} cannot be signed: {error}") from error
            raise

    def _presigner(self, bucket: str) -> Presigner | None:
        """Return what signs for a bucket, or None where boto3 alone knows the keys.

        Where the bucket is, botocore finds out once.
        """
        if self._credentials is None:
            return None
        client = self._signing_client(lambda: self._region(bucket))
        region = client.meta.region_name
        if (region, bucket) not in self._presigners:
            one: dict[str, Any] = {"Bucket": bucket, "Key": "1"}
            address = client.generate_presigned_url("get_object", Params=one)
            place = address.partition("?")[0][:-1]
            self._presigners[region, bucket] = Presigner(place, region, self._credentials)
        return self._presigners[region, bucket]

    def _region(self, bucket: str) -> str:
        """Return the region that a bucket is in, or "" if S3 does not tell now."""
        if bucket not in self._regions and (region := _ask_region(self._client(), bucket)):
            self._regions[bucket] = region
        return self._regions.get(bucket, "")

    def writer(self, uri: str, *, content_type: str = BINARY) -> AbstractContextManager[Writer]:
        """Open a `with` block that writes one object of any size, piece by piece."""
        return Upload(self._client(), uri, content_type)


class Upload:
    """Object written piece by piece: a small one in one put, a large one in parallel parts.

    It appears when the `with` block ends well, and not at all when it fails.
    """

    def __init__(self, client: S3Client, uri: str, content_type: str = BINARY) -> None:
        """Start a new object at `uri`; nothing is sent before a part is full."""
        self._client = client
        self._object = _object(uri)
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
            made = self._client.create_multipart_upload(
                **self._object, ContentType=self._content_type
            )
            self._upload = made["UploadId"]
        if len(self._parts) >= 2:  # at most two parts in memory besides the buffer
            self._parts[-2].result()
        number, part = len(self._parts) + 1, self._buffer
        self._buffer = bytearray()
        self._parts.append(self._pool.submit(self._put_part, number, part))

    def _put_part(self, number: int, part: Any) -> str:  # a bytearray, which the types leave out
        answer = self._client.upload_part(
            **self._object, UploadId=self._upload or "", PartNumber=number, Body=part
        )
        return answer["ETag"]

    def __enter__(self) -> Self:
        """Give the writer itself."""
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
            self._client.put_object(
                **self._object, Body=bytes(self._buffer), ContentType=self._content_type
            )
            return
        if self._buffer:
            self._send()
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": part.result()}
            for number, part in enumerate(self._parts, start=1)
        ]
        self._client.complete_multipart_upload(
            **self._object, UploadId=self._upload, MultipartUpload={"Parts": parts}
        )

    def _abort(self) -> None:
        # A part that arrives after the abort is kept, and paid for: let those under way end first.
        self._pool.shutdown(cancel_futures=True)
        if self._upload is not None:
            self._client.abort_multipart_upload(**self._object, UploadId=self._upload)
