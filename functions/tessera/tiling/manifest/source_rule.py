"""Decide which pictures a manifest may name: those of its project, and those that the stack allows.

The portal signs what a task names, so a manifest could have it sign what its author may not read:
other projects' pictures, answers, gold labels. Why here: docs/threat-model.md.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from tessera.tiling.page.page_copy import COPIES
from tessera.tiling.picture_keys import ORIGINALS

SCHEME = "s3://"
UPLOADS = (ORIGINALS, COPIES)
RULE_NAME = "tasks-sources.json"
"""Name of the rule's file beside a round's tasks, for runs whose page is the project's own."""


class SourceRule(msgspec.Struct, frozen=True):
    """Rule of which S3 URIs are pictures of a run; without an inbox, all are.

    `folder` is the project's in the inbox, with a slash at its end, or empty for all of it; the
    tool keeps a project's uploads in folders of its name within those of `UPLOADS`.
    `objects` are patterns of other objects, `bucket/prefix*`; None allows all other buckets.
    `practice` are the URIs of the run's practice pictures, absent without any; `partition` is that
    of AWS in ARNs, absent where it is the commercial one.
    """

    inbox: str = ""
    folder: str = ""
    labels: str = ""
    objects: tuple[str, ...] | None = None
    practice: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    partition: str | msgspec.UnsetType = msgspec.UNSET

    def line_problem(self, uri: str) -> str:
        """Return why a line must not name the object of a well-formed URI; empty if it may.

        Every worker is told the label of a practice picture, so nobody can be asked for it.

        >>> SourceRule(practice=("s3://inbox/practice/cat/1.jpg",)).line_problem(
        ...     "s3://inbox/practice/cat/1.jpg"
        ... )[:64]
        'source-ref: a practice picture, whose label every worker is told'
        """
        if uri in (self.practice or ()):
            return (
                "source-ref: a practice picture, whose label every worker is told; take this line "
                "out of the manifest, or the picture out of the practice"
            )
        return self.problem(uri)

    def problem(self, uri: str) -> str:
        """Return why a run must not show the object of a well-formed URI; empty if it may.

        >>> SourceRule("inbox", "pets/", "labels", ()).problem("s3://inbox/cars/1.jpg")
        "source-ref: in another project's folder of the inbox; this manifest is in pets/"
        """
        if not self.inbox:
            return ""
        bucket, _, key = uri.removeprefix(SCHEME).partition("/")
        if {".", ".."} & set(key.split("/")):
            return "source-ref: no browser opens a key with . or .. between slashes"
        # the samples have one bucket for everything, with the runs in a folder
        if bucket == self.labels and (bucket != self.inbox or key.startswith("runs/")):
            return "source-ref: in the bucket of runs, whose files are no pictures"
        if bucket == self.inbox:
            if key.startswith(self._own_folders):
                return ""
            return (
                "source-ref: in another project's folder of the inbox; "
                f"this manifest is in {self.folder}"
            )
        name = f"{bucket}/{key}"
        if self.objects is None or any(_pattern(each).fullmatch(name) for each in self.objects):
            return ""
        return (
            f"source-ref: this stack shows no pictures of s3://{bucket}; "
            f"deploy it with ImageObjects=arn:{self.partition or 'aws'}:s3:::{bucket}/* added"
        )

    @property
    def _own_folders(self) -> tuple[str, ...]:
        """Folders of the project; one with the name of an upload folder has its uploads alone."""
        if not self.folder:
            return ("",)
        uploads = tuple(f"{kind}{self.folder}" for kind in UPLOADS)
        return uploads if self.folder in UPLOADS else (self.folder, *uploads)

    def fixed_prefixes(self, bucket: str) -> list[str]:
        """Return beginnings of URIs in a bucket that are surely allowed, whatever follows.

        >>> SourceRule("inbox", "pets/", "labels", ("my/*",)).fixed_prefixes("my")
        ['s3://my/']
        """
        if not self.inbox or (self.objects is None and bucket not in {self.inbox, self.labels}):
            return [f"{SCHEME}{bucket}/"]
        if bucket == self.labels:
            return []
        if bucket == self.inbox:
            return [f"{SCHEME}{bucket}/{folder}" for folder in self._own_folders]
        fixed = [pattern.removesuffix("*") for pattern in self.objects or ()]
        return [
            SCHEME + prefix
            for prefix in fixed
            if prefix.startswith(f"{bucket}/") and not {"*", "?"} & set(prefix)
        ]


ANY_SOURCE = SourceRule()
"""Rule of a grouping outside a stack: every well-formed URI is a picture."""


def image_objects(patterns: str) -> tuple[str, ...]:
    """Return the patterns of objects in a list of ARNs with commas between.

    >>> image_objects("arn:aws:s3:::my-images/*, arn:aws:s3:::other/pets/*")
    ('my-images/*', 'other/pets/*')
    """
    arns = (arn.strip() for arn in patterns.split(",") if arn.strip())
    return tuple(arn.rpartition(":::")[2] for arn in arns)


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Return IAM's pattern as a regular expression: `*` is any text, `?` one character."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in pattern), re.DOTALL)
