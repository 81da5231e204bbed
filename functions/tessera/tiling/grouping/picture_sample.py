"""Look at a manifest's first pictures, as S3 has them, before anybody is asked to.

Only what S3 says of them is asked for (HEAD), of a few: enough to find a bucket that nobody may
read, and an upload of files that are empty or no pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from mimetypes import guess_type
from typing import Protocol

from tessera.tiling.errors import BucketUnreadable
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import Settings

SAMPLE = 100
"""Pictures looked at: five pages, in some four round trips to S3."""
AT_ONCE = 32
"""Pictures looked at at the same time: each waits for S3, not for the processor."""
MOST_NAMED = 5
"""Pictures that a notice names; of more it gives the number."""
REFUSED, ABSENT = 403, 404
NO_PICTURES = ("text/", "video/", "audio/", "application/json", "application/pdf",
               "application/zip", "application/xml", "image/tiff", "image/heic",
               "image/svg")  # fmt: skip
"""Media types, or how they begin, of what browsers do not show as a picture. Of others nothing is
said: many programs upload pictures without a type."""
UNKNOWN_TYPES = ("", "binary/octet-stream", "application/octet-stream")
"""Media types that programs give to whatever they upload; the name's ending says more."""


class Head(Protocol):
    """Size and media type of an object; `tessera.aws.storage.Head` is one."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""

    @property
    def content_type(self) -> str:
        """Return the media type that it was put with."""


class AskHead(Protocol):
    """Asks S3 for an object's head: the head, or the HTTP status of S3's refusal."""

    def __call__(self, uri: str, *, requester_pays: bool = False) -> Head | int:
        """Ask S3, perhaps as one who pays for what others own."""


def check_pictures(
    chunks: Iterable[bytes], settings: Settings, head: AskHead, rule: SourceRule = ANY_SOURCE
) -> list[str]:
    """Return what is wrong with pictures at a manifest's start, in sentences; none if nothing is.

    Raises BucketUnreadable if S3 refuses all that were looked at in a bucket, and they are a larger
    share than `bad_lines` allows. Pages of Ground Truth are signed by a role of its own, of whose
    rights these requests say nothing, so that for them no bucket is refused.
    """
    lines = read_manifest(manifest_lines(chunks), settings, rule)
    sources = [line.source_ref for line in islice(_images(lines), SAMPLE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        heads = dict(zip(sources, pool.map(_quietly(head), sources), strict=True))
    if settings.on_portal:
        _check_refusals(sources, heads, settings, head)
    problems = {uri: problem for uri, seen in heads.items() if (problem := _problem(uri, seen))}
    if not problems:
        return []
    named = ", ".join(f"{uri} ({problem})" for uri, problem in islice(problems.items(), MOST_NAMED))
    more = f" and {len(problems) - MOST_NAMED:,} more" if len(problems) > MOST_NAMED else ""
    return [
        f"{len(problems):,} of the first {len(heads):,} pictures cannot be shown: {named}{more}"
    ]


def _images(lines: Iterable[object]) -> Iterable[Image]:
    return (line for line in lines if isinstance(line, Image))


def _quietly(head: AskHead) -> Callable[[str], Head | int | None]:
    """Return what asks for a head, with None for whatever else goes wrong than a refusal."""

    def ask(uri: str) -> Head | int | None:
        try:
            return head(uri)
        except Exception:  # an outage: the sample is smaller, and the pages will say more
            return None

    return ask


def _problem(uri: str, head: Head | int | None) -> str:
    """Return why browsers will not show an object, by its head and its name; else nothing."""
    if head is None:
        return ""
    if isinstance(head, int):
        return {ABSENT: "does not exist", REFUSED: "S3 refuses it"}.get(head, "")
    if head.size == 0:
        return "0 bytes"
    kind = head.content_type.lower()
    if kind in UNKNOWN_TYPES:
        kind = guess_type(uri)[0] or ""
    return f"{kind.partition(';')[0]}, no picture" if kind.startswith(NO_PICTURES) else ""


def _check_refusals(
    sources: list[str], heads: dict[str, Head | int | None], settings: Settings, head: AskHead
) -> None:
    by_bucket: dict[str, list[str]] = defaultdict(list)
    for uri in sources:
        by_bucket[uri.split("/", 3)[2]].append(uri)
    refused = {
        bucket: uris
        for bucket, uris in by_bucket.items()
        if all(heads[uri] == REFUSED for uri in uris)
    }
    images = sum(map(len, refused.values()))
    if images <= settings.bad_lines * len(sources):
        return
    for bucket, uris in refused.items():
        if not isinstance(head(uris[0], requester_pays=True), int):
            raise BucketUnreadable(
                f"s3://{bucket} is a bucket whose requesters pay, and S3 shows its pictures to no "
                "browser. Copy them into a bucket of your own and drop a manifest of those"
            )
    named = ", ".join(f"s3://{bucket}" for bucket in refused)
    raise BucketUnreadable(
        f"S3 refuses {images:,} of the first {len(sources):,} images (403), all of those in "
        f"{named}: the stack may not read there, or they do not exist. Name the bucket in the "
        "stack's parameter ImageObjects, correct the addresses, and drop the manifest again"
    )
