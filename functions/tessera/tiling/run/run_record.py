"""Keep a run's record, run.json: how the run began, who owns it, and what each round asked.

A manifest can be announced more than once: events come at least once, and people drop the same file
again. All of these are one run (`jobs.run_id`), and run.json names the execution that works on it.
It is created and taken over by conditional writes, so that of executions that come at the same
moment exactly one goes on (docs/decisions/redrop-not-redrive.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import md5
from typing import Any, Protocol, Self

import msgspec

from tessera.tiling.consolidation_rules import NEWEST_RULES, OLDEST_RULES
from tessera.tiling.errors import LabelsMissing, ManifestUnreadable
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.onboarding.instructions import with_instructions
from tessera.tiling.onboarding.practice import with_practice
from tessera.tiling.onboarding.qualification import with_qualification
from tessera.tiling.page.own_page import with_page
from tessera.tiling.run.jobs import Surroundings, labeling_job_request, run_id
from tessera.tiling.settings import LONGEST_SETTINGS, Settings, read_settings, settings_from

WORKING = frozenset({"RUNNING", "PENDING_REDRIVE"})
"""Statuses of an execution that still works on its run."""
ALIVE = WORKING | {"SUCCEEDED"}
"""Statuses of an execution that keeps its run. One that ended otherwise never works on it again."""
BROKEN = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
"""Statuses of an execution that has not come to its end."""
REFUSED_JOBS = frozenset({"NotOpened", "NotClosed"})
"""Statuses of jobs that a service refused to open or to close: asked once more, it may not."""
JSON = "application/json"


class Files(Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, or None if it does not exist."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield the URIs of the objects under a prefix, in key order."""

    def get_with_etag(self, uri: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag."""

    def put_if_absent(self, uri: str, data: bytes, *, content_type: str) -> bool:
        """Put the object unless it exists; return whether it was put."""

    def put_if_match(self, uri: str, data: bytes, etag: str, *, content_type: str) -> bool:
        """Put the object in the place of the one with this ETag; return whether it was put."""

    def version_id(self, uri: str) -> str:
        """Return the ID of the object's newest version; "" if it has none."""

    def is_etag_md5(self, uri: str, version_id: str | None) -> bool:
        """Return whether the object's ETag is the MD5 of its content; true if there is none."""

    def iter_chunks(
        self, uri: str, version_id: str | None, *, if_missing: Exception
    ) -> Iterator[bytes]:
        """Iterate over the object's bytes; raise `if_missing` if it does not exist."""


class CountedShard(Protocol):
    """Counts of one shard of a round; `task_file.Shard` has them."""

    @property
    def tasks(self) -> int:
        """Return the number of tasks."""

    @property
    def images(self) -> int:
        """Return the number of images."""


class AskedRound(msgspec.Struct, frozen=True):
    """What one round asks: how many jobs (one a shard), tasks and images."""

    round: int
    shards: int
    tasks: int
    images: int

    @classmethod
    def of(cls, round_: int, shards: Sequence[CountedShard]) -> Self:
        """Add up the shards of a round."""
        tasks = sum(shard.tasks for shard in shards)
        return cls(round_, len(shards), tasks, sum(shard.images for shard in shards))


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of run.json, in the order of its keys."""

    run: str
    execution: str
    """The ARN of the execution that owns the run."""
    manifest: dict[str, Any]
    """Dropped object: `bucket`, `key`, `etag` if the event had one, and `version-id` if there
    are versions: what is dropped in its place later is no manifest of this run."""
    settings: dict[str, Any]
    rounds: Sequence[AskedRound] = ()
    counts: dict[str, int] = {}
    """Lines of the manifest by what they are; empty until they are counted."""
    notices: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    """Sentences on the manifest's first pictures, and on settings that change nothing here; absent
    if there is nothing to tell."""
    taken_from: Sequence[str] | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="taken-from"
    )
    """The executions that owned the run before and are dead, oldest first; absent if none did."""
    done: bool | msgspec.UnsetType = msgspec.UNSET
    """Set when the run has ended with every job opened and closed; absent until its labels are
    made, and in runs of versions that did not note it."""
    pictures: SourceRule = ANY_SOURCE
    """Which pictures the manifest's lines may name, the same in every round."""

    rules: int = OLDEST_RULES
    """Number of the rules that answers are consolidated by; absent in runs that began before there
    were any but the oldest."""
    workers: str | msgspec.UnsetType = msgspec.UNSET
    """Version of what was known of workers beforehand, by which the run is consolidated: the
    beginning of the SHA-256 of workers.json in its folder; absent where nothing is remembered."""
    embeddings: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """The file that the run's own embeddings.npy is a copy of, its rows and numbers a row, and the
    rows that have an embedding; absent without embeddings."""
    embedding_blocks: int | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="embedding-blocks"
    )
    """Blocks of pictures that the run embeds itself, in its first round; absent if it does not."""

    def with_round(self, asked: AskedRound) -> RunRecord:
        """Return the record with this round as its newest, also if it was asked before."""
        earlier = [other for other in self.rounds if other.round < asked.round]
        return msgspec.structs.replace(self, rounds=[*earlier, asked])

    def taking_over(self, before: RunRecord) -> RunRecord:
        """Return the record with the executions that owned the run until now."""
        earlier = before.taken_from or ()
        return msgspec.structs.replace(self, taken_from=[*earlier, before.execution])


def find_settings(files: Files, manifest: Mapping[str, Any], default: str) -> Settings:
    """Return the settings from labeling.json in the manifest's folder, else the stack's default.

    Instructions, examples, and pictures of practice and qualification in the folder are among them,
    and which page lies there. Raises SettingsInvalid or PageUnusable if they cannot be used,
    LabelsMissing if there are none at all.
    """
    folder = folder_uri(manifest)
    uri = f"{folder}labeling.json"
    # A byte more than is allowed, so that a file of any size is refused without reading it all.
    document = files.get_up_to(uri, LONGEST_SETTINGS + 1)
    if document is None and not default.strip():
        raise LabelsMissing([f"labels: there is no {uri}, and the stack has no default settings"])
    settings = read_settings(default.encode() if document is None else document)
    if settings.is_custom:  # its page has instructions of its own
        return with_page(settings, files, folder)
    beside = with_practice(with_instructions(settings, files, folder), files, folder)
    return with_page(with_qualification(beside, files, folder), files, folder)


def begin_record(manifest: dict[str, Any], settings: Settings, execution: str) -> RunRecord:
    """Return the record of a run that an execution begins."""
    return RunRecord(
        run=run_id(manifest, settings),
        execution=execution,
        manifest=manifest,
        settings=msgspec.to_builtins(settings),
        rules=NEWEST_RULES,
    )


def claim_run(files: Files, uri: str, record: RunRecord, status: Callable[[str], str]) -> str:
    """Return the execution that owns the run with the record at `uri`.

    That is the record's own execution if it comes first, or if the owner before it does not keep
    the run; the record is then stored. `status` returns an execution's status.
    """
    document = msgspec.json.encode(record)
    if files.put_if_absent(uri, document, content_type=JSON):
        return record.execution
    stored, etag = files.get_with_etag(uri)
    before = decode_record(stored)
    owner = before.execution
    # A function is called again after a failure: it then finds the record that it wrote itself.
    if owner == record.execution or _keeps_run(before, status):
        return owner
    document = msgspec.json.encode(record.taking_over(before))
    if files.put_if_match(uri, document, etag, content_type=JSON):
        return record.execution
    return decode_record(files.get(uri)).execution  # another execution took over before this one


def _keeps_run(record: RunRecord, status: Callable[[str], str]) -> bool:
    """Return whether a run stays with the execution that owns it.

    A run that is done stays as it is, also when AWS has forgotten its execution, which it does
    after 90 days; unless that broke off before it announced the run. One that ended in part because
    a service refused jobs can be gone on with: jobs that have their answers are attached to, and
    only what is missing is asked.
    """
    now = status(record.execution)
    if record.done is True:
        return now not in BROKEN
    return now in WORKING or (record.done is msgspec.UNSET and now in ALIVE)


def note_end(files: Files, uri: str, execution: str, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Note in the record at `uri` that its run has ended, and whether any job was refused.

    Nothing is noted for an execution that does not own the run any more.
    """
    stored, etag = files.get_with_etag(uri)
    record = decode_record(stored)
    if record.execution == execution:
        done = not any(job["status"] in REFUSED_JOBS for job in jobs)
        document = msgspec.json.encode(msgspec.structs.replace(record, done=done))
        # Whoever was faster has taken the run over, and begins it anew.
        files.put_if_match(uri, document, etag, content_type=JSON)


def note_workers(files: Files, uri: str, execution: str, version: str) -> None:
    """Note in the record at `uri` by what version of its project's memory the run is consolidated.

    Nothing is noted for an execution that does not own the run any more.
    """
    stored, etag = files.get_with_etag(uri)
    record = decode_record(stored)
    if record.execution == execution:
        document = msgspec.json.encode(msgspec.structs.replace(record, workers=version))
        files.put_if_match(uri, document, etag, content_type=JSON)


def end_with_report(files: Files, home: str, execution: str) -> tuple[dict[str, Any], str]:
    """Note that a run ends with the labels it has; return its report's figures and its project."""
    figures = msgspec.json.decode(files.get(f"{home}report.json"))
    uri = f"{home}run.json"
    note_end(files, uri, execution, figures["jobs"])
    return figures, project_of(decode_record(files.get(uri)).manifest)


def decode_record(document: bytes) -> RunRecord:
    """Return the record that a run.json holds."""
    return msgspec.json.decode(document, type=RunRecord)


def settings_of(record: RunRecord) -> Settings:
    """Return the settings with which the run began."""
    return settings_from(record.settings)


def ask_result(
    home: str, record: RunRecord, asked: AskedRound, surroundings: Surroundings
) -> dict[str, Any]:
    """Return what the state machine needs to open a round's jobs; `home` is the run's folder."""
    settings = settings_of(record)
    return {
        "outcome": "ask" if asked.shards else "nothing-to-ask",
        "run": record.run,
        "home": home,
        **msgspec.to_builtins(asked),
        "rejected": record.counts["rejected"],
        **(
            {"blocks": record.embedding_blocks}
            if asked.round == 1 and record.embedding_blocks
            else {}
        ),
        "workforce": settings.workforce,
        "request": labeling_job_request(
            settings,
            surroundings,
            run=record.run,
            home=home,
            round_=asked.round,
            project=project_of(record.manifest),
        ),
    }


def with_version(files: Files, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dropped manifest with the version to read, where its event names none.

    AWS's events do. Labels are written to the manifest's lines days later, and must not come into
    those of another manifest that was put in its place.
    """
    version = manifest.get("version-id") or files.version_id(manifest_uri(manifest))
    return {**manifest, "version-id": version} if version else dict(manifest)


def with_content_etag(
    files: Files, manifest: Mapping[str, Any], settings: Settings, runs: str
) -> dict[str, Any]:
    """Return a dropped manifest with the MD5 of its bytes as its ETag, where S3's is another.

    A run is named by it. By an ETag that differs each time the same bytes are put, the same
    manifest dropped again would be another run, whose images are all asked, and paid for, again.
    A run that has begun under S3's own, in the folder `runs`, keeps its name.
    """
    if (
        not manifest.get("etag")
        or files.is_etag_md5(manifest_uri(manifest), manifest.get("version-id"))
        or files.get_up_to(f"{runs}{run_id(manifest, settings)}/run.json", 1) is not None
    ):
        return dict(manifest)
    content = md5(usedforsecurity=False)
    for chunk in read_manifest_bytes(files, manifest):
        content.update(chunk)
    return {**manifest, "etag": content.hexdigest()}


def read_manifest_bytes(files: Files, manifest: Mapping[str, Any]) -> Iterator[bytes]:
    """Iterate over the manifest's bytes, in the version that was dropped.

    Raises ManifestUnreadable if it was deleted in the meantime.
    """
    uri = manifest_uri(manifest)
    gone = ManifestUnreadable(f"{uri} is gone: it was deleted after its event; drop it again")
    return files.iter_chunks(uri, manifest.get("version-id"), if_missing=gone)


def read_images(files: Files, manifest: Mapping[str, Any], settings: Settings) -> Iterator[bytes]:
    """Iterate over the manifest's bytes with a line an image: where boxes are asked, a box."""
    return box_lines(read_manifest_bytes(files, manifest), settings)


def manifest_uri(manifest: Mapping[str, Any]) -> str:
    """Return the URI of a run's manifest."""
    return f"s3://{manifest['bucket']}/{manifest['key']}"


def folder_uri(manifest: Mapping[str, Any]) -> str:
    """Return the URI of the folder in which a run's manifest lies, with a slash at its end."""
    folder, slash, _ = manifest["key"].rpartition("/")
    return f"s3://{manifest['bucket']}/{folder}{slash}"


def project_of(manifest: Mapping[str, Any]) -> str:
    """Return the manifest's folder, by which costs and metrics are kept apart, or `none`."""
    return str(manifest["key"]).rpartition("/")[0] or "none"
