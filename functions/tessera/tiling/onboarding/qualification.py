"""Let workers show on known pictures, before a project's first page, that they label as is meant.

`"qualify": 0.8` asks for pictures under `qualification/LABEL/` beside the manifest. Their labels
lie where the portal alone reads them, and the pictures are copied under names that tell nothing of
their folders. What a worker came to is one small object for each attempt, in the project's folder
of the bucket of runs: `projects/<project>/qualification/<worker>/001.json`. Why so, and why these
numbers: docs/decisions/qualification.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from hashlib import sha256
from math import ceil
from mimetypes import guess_type
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.onboarding.practice import beside_tasks, labels_in
from tessera.tiling.settings import MIN_QUALIFICATION, Settings, settings_from

FOLDER = "qualification/"
"""Folder beside a manifest with one folder for each label, and that of a project's records."""
MAX_ATTEMPTS = 2
"""Attempts of a worker: who fails twice did not slip, and more would teach the answers."""
RETRY_SECONDS = 24 * 3600.0
"""Seconds between two attempts: a night, in which the instructions can be read once more."""
MAX_PICTURE_BYTES = 20_000_000
"""Bytes of a picture: more takes a phone longer to load than the page takes to answer."""
RECORD = re.compile(r"([^/]+)/([0-9]{3})\.json")
"""Name of a record below the project's folder: the worker and the number of the attempt."""
PARALLEL_READS = 32
"""Records read at the same time for a report."""


class Files(Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, at most `limit`, or None if it does not exist."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put one object, replacing what was there."""


class Listing(Protocol):
    """Stored objects as a report reads them."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield the URIs of the objects under a prefix, in key order."""


# ── The pictures ─────────────────────────────────────────────────────────────────────────────────


class KnownPicture(msgspec.Struct, frozen=True, rename={"source": "source-ref"}):
    """Picture whose label is known, under the name that workers may see."""

    source: str
    label: str


class QualificationFile(msgspec.Struct, frozen=True):
    """Contents of tasks-qualification.json: where the project's records lie, and the pictures."""

    records: str
    pictures: tuple[KnownPicture, ...]

    def encode(self) -> bytes:
        """Return the file as JSON."""
        return msgspec.json.encode(self)


def with_qualification(settings: Settings, files: Any, folder: str) -> Settings:
    """Return the settings with the qualification's pictures in a manifest's folder.

    `folder` is its URI with a slash at the end. Raises SettingsInvalid if there are too few, with
    every picture that cannot be used, and why.
    """
    if settings.qualify is UNSET or settings.qualification:
        return settings
    pictures = labels_in(files, folder, FOLDER)
    if not pictures:
        raise SettingsInvalid([
            f"qualify: there are no pictures under {FOLDER} beside the manifest; put at least "
            f"{MIN_QUALIFICATION} into {FOLDER}LABEL/, ten or more if you can, or leave qualify out"
        ])  # fmt: skip
    return settings_from({**msgspec.to_builtins(settings), "qualification": pictures})


def qualification_name(manifest: str) -> str:
    """Return the name of the qualification's file, beside a round's tasks.

    >>> qualification_name("round-1/tasks-000.manifest")
    'round-1/tasks-qualification.json'
    """
    return beside_tasks(manifest, "tasks-qualification.json")


def records_uri(home: str, project: str) -> str:
    """Return the folder of a project's records; `home` is that of one of its runs.

    >>> records_uri("s3://labels/runs/pets-1/", "pets")
    's3://labels/projects/pets/qualification/'
    """
    bucket = home.removeprefix("s3://").partition("/")[0]
    return f"s3://{bucket}/projects/{project}/{FOLDER}"


def copy_pictures(
    settings: Settings, files: Files, folder: str, home: str, rule: SourceRule
) -> tuple[KnownPicture, ...]:
    """Copy the qualification's pictures into a run's folder, and return them under their new names.

    The name is that of the content, which whoever is shown a picture knows in any case: its folder
    in the inbox would tell the label. `rule` is that of what the manifest may name. Raises
    SettingsInvalid with every picture that it forbids, that is absent, too large, or there twice.
    """
    copies: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for name, label in (settings.qualification or {}).items():
        if problem := rule.problem(folder + name):
            problems.append(f"qualification: {name}: {problem.removeprefix('source-ref: ')}")
            continue
        content = files.get_up_to(folder + name, MAX_PICTURE_BYTES + 1)
        if not content or len(content) > MAX_PICTURE_BYTES:
            what = f"more than {MAX_PICTURE_BYTES:,} bytes" if content else "absent or empty"
            problems.append(f"qualification: {name} is {what}; put a picture there and drop again")
            continue
        suffix = name.rpartition(".")[2].lower()
        uri = f"{home}{FOLDER}{sha256(content).hexdigest()[:32]}.{suffix}"
        if uri in copies:
            other, _ = copies[uri]
            problems.append(f"qualification: {name} is the same picture as {other}; keep one")
            continue
        copies[uri] = name, label
        media_type = guess_type(name)[0] or "application/octet-stream"
        files.put(uri, content, content_type=media_type)
    if problems:
        raise SettingsInvalid(problems)
    # Sorted by content, the order tells nothing of the labels.
    return tuple(KnownPicture(uri, label) for uri, (_, label) in sorted(copies.items()))


# ── What a worker came to ────────────────────────────────────────────────────────────────────────


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Record of one attempt of a worker; or, with `anew`, that a requester lets them begin anew.

    `answer` is a digest of what was chosen, so that the same answer sent twice counts once.
    """

    at: float
    right: int = 0
    pictures: int = 0
    answer: str = ""
    run: str = ""
    anew: bool = False

    def encode(self) -> bytes:
        """Return the record as JSON."""
        return msgspec.json.encode(self)


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Standing of a worker in a project, by all records of them: attempts, the best and the last.

    `records` counts the records; only ever more of them come, so it tells the newer of two.
    """

    records: int = 0
    attempts: int = 0
    right: int = 0
    pictures: int = 0
    last: float = 0.0

    def passes(self, share: float) -> bool:
        """Return whether the best attempt has at least this share right.

        >>> Standing(1, 1, 8, 10).passes(0.8), Standing(1, 1, 7, 10).passes(0.8)
        (True, False)
        """
        return bool(self.pictures) and self.right >= needed(share, self.pictures)

    def fails(self, share: float) -> bool:
        """Return whether the worker has not passed and may not try again by themselves.

        >>> [Standing(n, n, 7, 10).fails(0.8) for n in (0, 1, 2)], Standing(2, 2, 8, 10).fails(0.8)
        ([False, False, True], False)
        """
        return self.next_attempt is None and not self.passes(share)

    @property
    def next_attempt(self) -> float | None:
        """Time from which on the worker may try again; None if a requester must let them."""
        if self.attempts >= MAX_ATTEMPTS:
            return None
        return self.last + RETRY_SECONDS if self.attempts else 0.0


def needed(share: float, pictures: int) -> int:
    """Return how many pictures must be right: the share as it is written, rounded up.

    >>> needed(0.8, 10), needed(0.7, 10), needed(0.05, 10)
    (8, 7, 1)
    """
    # 0.7 * 10 is 7.000000000000001 in binary, which would ask for eight.
    return ceil(Fraction(repr(share)) * pictures)


def standing_of(records: Iterable[Attempt]) -> Standing:
    """Return what all records of a worker in a project come to, in their order."""
    standing = Standing()
    for record in records:
        count = standing.records + 1
        if record.anew:
            standing = Standing(records=count)
            continue
        best = max(
            (standing.right, standing.pictures),
            (record.right, record.pictures),
            key=lambda score: score[0] / score[1] if score[1] else -1.0,
        )
        standing = Standing(count, standing.attempts + 1, *best, record.at)
    return standing


def decode_attempt(document: bytes) -> Attempt:
    """Return the attempt that a record holds."""
    return msgspec.json.decode(document, type=Attempt)


def attempt_uri(records: str, worker: str, number: int) -> str:
    """Return where a worker's record of this number lies, from 1.

    >>> attempt_uri("s3://labels/projects/pets/qualification/", "ann", 1)
    's3://labels/projects/pets/qualification/ann/001.json'
    """
    return f"{records}{worker}/{number:03d}.json"


def read_attempts(files: Listing, records: str, worker: str) -> list[Attempt]:
    """Return all records of a worker in a project, in their order."""
    uris = files.list_uris(f"{records}{worker}/")
    return [decode_attempt(files.get(uri)) for uri in uris if RECORD.fullmatch(uri, len(records))]


def read_standings(files: Listing, records: str) -> dict[str, Standing]:
    """Return the standing of every worker who ever tried in a project."""
    # Projects may lie in one another's folders: a record is known by its whole name.
    uris = [uri for uri in files.list_uris(records) if RECORD.fullmatch(uri, len(records))]
    with ThreadPoolExecutor(PARALLEL_READS) as readers:
        attempts = list(readers.map(decode_attempt, readers.map(files.get, uris)))
    of_worker: dict[str, list[Attempt]] = {}
    for uri, attempt in zip(uris, attempts, strict=True):
        of_worker.setdefault(uri[len(records) :].partition("/")[0], []).append(attempt)
    return {worker: standing_of(records) for worker, records in of_worker.items()}


def qualification_figures(
    share: float, standings: Mapping[str, Standing]
) -> dict[str, float | int]:
    """Return what progress and report say of a project's qualification; it names nobody."""
    tried = [standing for standing in standings.values() if standing.attempts]
    passed = sum(standing.passes(share) for standing in tried)
    return {"needed": share, "tried": len(tried), "passed": passed}
