"""One fake of each thing outside: S3, DynamoDB, Lambda, Step Functions, the clock.

Each keeps the promises of the real one (tests/aws holds both to the same tests), in dictionaries.
"""

from __future__ import annotations

import copy
import math
import threading
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tessera.aws.connection import Connection
from tessera.aws.storage import BINARY, Head, Object, Storage, split_uri
from tessera.aws.workflow import Workflow
from tessera.portal.store import ABSENT, Change, Item, Key


def error(code: str, operation: str) -> ClientError:
    """Make the error that AWS answers an operation with."""
    return ClientError({"Error": {"Code": code, "Message": "a fake says so"}}, operation)


BEGINNING = datetime(2026, 11, 23, tzinfo=UTC)


class Files(Storage):
    """S3 in a dictionary: objects by URI; a written one appears when its writer ends well.

    `requests` counts what S3 would be asked, by the name of the operation; `versions` are older
    ones by URI and version ID, of objects that have any. `other_etags` if ETags are no MD5 of the
    content, as where a key of KMS encrypts it.
    """

    chunk = 7
    """Bytes a streamed read gives at a time: so few that lines cross the chunks."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self._no_client)
        self.objects: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.modified: dict[str, datetime] = {}
        self.requests: Counter[str] = Counter()
        self.versions: dict[tuple[str, str], bytes] = {}
        self.other_etags = False
        self.absent_buckets: set[str] = set()
        self.refused_buckets: set[str] = set()
        self.requesters_pay: set[str] = set()
        self._lock = threading.Lock()

    def _no_client(self) -> Any:
        raise AssertionError("a fake has no client: this method of Storage has no fake yet")

    def _count(self, operation: str, uri: str) -> None:
        split_uri(uri)  # which refuses what is no URI, as it does before a real request
        self.requests[operation] += 1

    def get(self, uri: str, version_id: str | None = None) -> bytes:
        self._count("GetObject", uri)
        if version_id:
            if (uri, version_id) not in self.versions:
                raise error("NoSuchVersion", "GetObject")
            return self.versions[uri, version_id]
        if uri not in self.objects:
            raise error("NoSuchKey", "GetObject")
        return self.objects[uri]

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        content = self.get(uri)
        if start >= len(content):
            raise error("InvalidRange", "GetObject")
        return content[start:end]

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        self._count("GetObject", uri)
        content = self.objects.get(uri)
        return None if content is None else content[:limit]

    def get_with_etag(self, uri: str) -> tuple[bytes, str]:
        content = self.get(uri)
        return content, etag(content)

    def size(self, uri: str, version_id: str | None = None) -> int | None:
        self._count("HeadObject", uri)
        if version_id:
            version = self.versions.get((uri, version_id))
            return None if version is None else len(version)
        return len(self.objects[uri]) if uri in self.objects else None

    def head(self, uri: str, *, requester_pays: bool = False) -> Head | int:
        self._count("HeadObject", uri)
        bucket, _ = split_uri(uri)
        if bucket in self.refused_buckets or (bucket in self.requesters_pay and not requester_pays):
            return 403
        if uri not in self.objects:
            return 404
        return Head(len(self.objects[uri]), self.content_types.get(uri, BINARY))

    def version_id(self, uri: str) -> str:
        self._count("HeadObject", uri)
        newest = [version for at, version in self.versions if at == uri][-1:]
        return newest[0] if newest else ""

    def is_etag_md5(self, uri: str, version_id: str | None = None) -> bool:
        self._count("HeadObject", uri)
        return uri not in self.objects or not self.other_etags

    def etag(self, uri: str, by: float = math.inf) -> str | None:
        self.requests["HeadObject"] += 1
        if uri not in self.objects:
            return None
        is_later = self.modified.get(uri, BEGINNING).timestamp() > by
        other = "-2" if self.other_etags else ""
        return "" if is_later else etag(self.objects[uri] + other.encode())

    def bucket_exists(self, bucket: str) -> bool:
        self.requests["HeadBucket"] += 1
        return bucket not in self.absent_buckets

    def iter_chunks(
        self, uri: str, version_id: str | None = None, *, if_missing: Exception | None = None
    ) -> Iterator[bytes]:
        try:
            content = BytesIO(self.get(uri, version_id))
        except ClientError as missing:
            raise if_missing or missing from missing
        while chunk := content.read(self.chunk):
            yield chunk

    def list_objects(self, prefix: str) -> Iterator[Object]:
        self._count("ListObjectsV2", prefix)
        for uri in sorted(uri for uri in self.objects if uri.startswith(prefix)):
            yield Object(uri, len(self.objects[uri]), self.modified.get(uri, BEGINNING))

    def list_folders(self, prefix: str) -> Iterator[str]:
        names = (entry.uri.removeprefix(prefix) for entry in self.list_objects(prefix))
        folders = {name.partition("/")[0] for name in names if "/" in name}
        yield from sorted(f"{prefix}{folder}/" for folder in folders)

    def put(self, uri: str, data: bytes, *, content_type: str = BINARY) -> None:
        self._count("PutObject", uri)
        self.objects[uri], self.content_types[uri] = bytes(data), content_type
        # every put is a second later than the one before, so that what is newest is known
        self.modified[uri] = BEGINNING + timedelta(seconds=self.requests["PutObject"])

    def put_if_absent(self, uri: str, data: bytes, *, content_type: str = BINARY) -> bool:
        with self._lock:
            if uri in self.objects:
                self._count("PutObject", uri)
                return False
            self.put(uri, data, content_type=content_type)
        return True

    def put_if_match(self, uri: str, data: bytes, etag: str, *, content_type: str = BINARY) -> bool:
        with self._lock:
            if self.get_with_etag(uri)[1] != etag:
                return False
            self.put(uri, data, content_type=content_type)
        return True

    def delete(self, uri: str) -> None:
        self._count("DeleteObject", uri)
        self.objects.pop(uri, None)

    def upload(self, path: Path, uri: str, *, content_type: str = BINARY) -> None:
        self.put(uri, path.read_bytes(), content_type=content_type)

    def download(self, uri: str, path: Path) -> None:
        path.write_bytes(self.get(uri))

    def presign(self, uri: str, seconds: int) -> str:
        return f"https://pictures.test/{'/'.join(split_uri(uri))}?seconds={seconds}&sig=1"

    @contextmanager
    def writer(self, uri: str, *, content_type: str = BINARY) -> Iterator[BytesIO]:
        file = BytesIO()
        yield file
        self.put(uri, file.getvalue(), content_type=content_type)


def etag(content: bytes) -> str:
    """Make the ETag that S3 gives to content put in one piece."""
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


class Table:
    """DynamoDB table in a dictionary: items by partition and sort key."""

    def __init__(self) -> None:
        """Start empty."""
        self._items: dict[str, dict[str, Item]] = defaultdict(dict)
        self._lock = threading.Lock()

    def get(self, *keys: Key) -> list[Item | None]:
        """Return the items at the keys, in the same order; None if absent."""
        with self._lock:
            return [copy.deepcopy(self._items[key.partition].get(key.sort)) for key in keys]

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, Item]]:
        """Return a partition's sort keys and items, ascending, strictly between the two bounds."""
        with self._lock:
            held = self._items[partition]
            sorts = sorted(held)
            sorts = sorts[bisect_right(sorts, after) if after else 0 :]
            sorts = sorts[: bisect_left(sorts, before) if before else None]
            return [(sort, copy.deepcopy(held[sort])) for sort in sorts[: limit or None]]

    def write(self, *changes: Change) -> bool:
        """Make all changes, or none if one is not as expected; return whether they were made."""
        assert len({change.key for change in changes}) == len(changes), "one change for one item"
        with self._lock:
            if not all(self._as_expected(change) for change in changes):
                return False
            for change in changes:
                self._make(change)
        return True

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """Add to an attribute and return its new number."""
        sets = {"expires": expires} if expires else {}
        with self._lock:
            self._make(Change("add", key, {attribute: amount}, sets=sets))
            number: int = self._items[key.partition][key.sort][attribute]
        return number

    def _as_expected(self, change: Change) -> bool:
        if change.expect is None:
            return True
        item = self._items[change.key.partition].get(change.key.sort)
        if change.expect is ABSENT:
            return item is None
        return item is not None and all(
            item.get(name) == value for name, value in change.expect.items()
        )

    def _make(self, change: Change) -> None:
        items, sort = self._items[change.key.partition], change.key.sort
        if change.kind == "delete":
            items.pop(sort, None)
        elif change.kind == "put":
            items[sort] = copy.deepcopy(dict(change.values))
        else:
            item = items.setdefault(sort, {})
            for name, amount in change.values.items():
                item[name] = item.get(name, 0) + amount
            item.update(copy.deepcopy(dict(change.sets)))


class Executions(Workflow):
    """Step Functions: executions that are as they are said to be, and tokens that somebody holds.

    `sent` is what the states that waited for a token were sent, `started` the inputs of what was
    started, and `statuses` are by execution.
    """

    def __init__(self) -> None:
        """Start without executions."""
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.started: list[dict[str, Any]] = []
        self.statuses: dict[str, str] = {}

    def send_task_success(self, token: str, output: dict[str, Any]) -> bool:
        self.sent.append((token, output))
        return True

    def send_task_failure(self, token: str, error: str, cause: str) -> bool:
        self.sent.append((token, {"error": error, "cause": cause}))
        return True

    def start(self, machine: str, event: dict[str, Any]) -> str:
        self.started.append(event)
        return f"{machine}:{len(self.started)}"

    def status(self, execution: str) -> str:
        return self.statuses.get(execution, "GONE")


class Aws(Connection):
    """Connection to the fakes."""

    def __init__(self) -> None:
        """Start with nothing stored and nothing running."""
        super().__init__()
        self.files, self.executions = Files(), Executions()
        self.storage, self.workflow = self.files, self.executions


@dataclass
class Clock:
    """Clock that goes on when it is told to."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time in seconds since 1970."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
