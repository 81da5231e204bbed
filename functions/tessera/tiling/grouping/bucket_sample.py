"""Sample the buckets of a manifest's first images, before anybody is asked to look at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

from tessera.tiling.errors import BucketMissing
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.sources import bucket_of
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import Settings

SAMPLE = 1000
"""Images at the start of a manifest whose buckets are looked at: a few pages, read in a moment."""
MOST_BUCKETS = 20
"""Buckets that are looked at, those with the most images: one request each."""


def check_buckets(
    chunks: Iterable[bytes], settings: Settings, exists: Callable[[str], bool]
) -> None:
    """Raise BucketMissing if too many of a manifest's first images are in no bucket that exists.

    That is a larger share than `bad_lines` allows, as for lines that cannot be used. `exists` is
    asked once a bucket.
    """
    lines = read_manifest(manifest_lines(chunks), settings)
    sources = (line.source_ref for line in lines if isinstance(line, Image))
    buckets = Counter(bucket_of(uri) for uri in islice(sources, SAMPLE))
    missing = [name for name, _ in buckets.most_common(MOST_BUCKETS) if not exists(name)]
    images = sum(buckets[name] for name in missing)
    if images > settings.bad_lines * buckets.total():
        named = ", ".join(f"s3://{name}" for name in missing)
        raise BucketMissing(
            f"{images:,} of the first {buckets.total():,} images are in a bucket that does not "
            f"exist: {named}. Correct the manifest and drop it again"
        )
