"""Ask a round: decide and write all that a run or its next round needs, before anybody is asked.

That is the settings, the page, the tasks of every shard, and which execution owns the run. No
worker and no fee is involved before all of it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from msgspec import UNSET

from tessera.tiling.errors import EmbeddingsUnusable, SettingsInvalid, TesseraError
from tessera.tiling.grouping.bucket_sample import check_buckets
from tessera.tiling.grouping.first_offers import write_first_offers
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.grouping.later_round import group_later_round
from tessera.tiling.grouping.picture_sample import Head, check_pictures
from tessera.tiling.grouping.picture_shape import check_box_shapes, sample_shape
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.grouping.similar import Embeddings
from tessera.tiling.grouping.task_file import Shard
from tessera.tiling.kinds.task_kinds import KINDS
from tessera.tiling.manifest.source_rule import RULE_NAME, SourceRule, image_objects
from tessera.tiling.onboarding.practice import encode_practice, practice_name
from tessera.tiling.onboarding.qualification import (
    QualificationFile,
    copy_pictures,
    qualification_name,
    records_uri,
)
from tessera.tiling.page.crowd_elements import page_hosts
from tessera.tiling.page.own_page import read_page
from tessera.tiling.page.page_choices import PAGE_INPUT
from tessera.tiling.report.metrics import measure_run
from tessera.tiling.run import run_record
from tessera.tiling.run.inbox import embeddings_name
from tessera.tiling.run.jobs import Surroundings, label_categories, tasks_name
from tessera.tiling.run.run_files import CreateFile, OpenScratch, ReadManifest, Writable
from tessera.tiling.run.run_record import (
    AskedRound,
    RunRecord,
    ask_result,
    begin_record,
    claim_run,
    decode_record,
    end_with_report,
    find_settings,
    folder_uri,
    project_of,
    read_images,
    read_manifest_bytes,
    settings_of,
    with_content_etag,
    with_version,
)
from tessera.tiling.settings import Settings
from tessera.tiling.workers.exclusions import Exclusions
from tessera.tiling.workers.skills import SKILLS_NAME, Skills, decode_skills, remembered_skills

FITS_ANY_FUNCTION = 100_000
"""Lines whose labels the smallest function makes in one piece, whatever the settings."""
MAX_PAGE_BYTES = 4_000_000
"""Bytes of a run's page that are looked at: as many as the portal shows."""
MAX_SKILLS_BYTES = 500_000_000
"""Bytes of skills that are read: those of five million images in doubt about fifty labels."""
OUTCOMES = {
    "ask": "RoundsAsked",
    "nothing-to-ask": "RoundsWithNothingToAsk",
    "already-running": "RunsAlreadyRunning",
    "refused": "ManifestsRefused",
}
"""Metric that counts each outcome."""


class Files(run_record.Files, Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def bucket_exists(self, bucket: str) -> bool:
        """Return whether there is a bucket of this name, anybody's."""

    def head(self, uri: str, *, requester_pays: bool = False) -> Head | int:
        """Return an object's size and media type, or the HTTP status of S3's refusal."""

    def iter_lines(self, uri: str) -> Iterator[bytes]:
        """Iterate over the object's lines without their line ends."""

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put the object, replacing what is there."""

    def writer(self, uri: str) -> AbstractContextManager[Writable]:
        """Open a `with` block that writes one object of any size, piece by piece."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Stack that a round is asked in: where runs lie, what settings and requests take from it.

    `status` returns an execution's status, `template` is the file of the worker's page;
    `image_objects` are ARN patterns of pictures outside the inbox, None where all are allowed.
    `page_hosts` are those, with commas between, that pages may load scripts and styles from, and
    `aws_crowd` says that they may load Amazon's own script. `consolidation_megabytes` is the
    memory of the function that makes the labels.
    """

    files: Files
    status: Callable[[str], str]
    scratch: OpenScratch
    runs: str
    default_settings: str
    template: Path
    surroundings: Surroundings
    image_objects: str | None = None
    page_hosts: str = ""
    aws_crowd: bool = False
    consolidation_megabytes: int = 3_008

    def source_rule(self, manifest: Mapping[str, Any], settings: Settings) -> SourceRule:
        """Return which pictures a manifest may name, by where in the inbox it lies."""
        project, slash, _ = str(manifest["key"]).partition("/")
        folder = folder_uri(manifest)
        practice = tuple(folder + name for name in settings.practice or ())
        # Ground Truth shows pictures by a role of its own, which operators may give more.
        is_portal = settings.on_portal and self.image_objects is not None
        partition = "".join(self.surroundings.prepare_task.split(":")[1:2]) or "aws"
        return SourceRule(
            inbox=manifest["bucket"],
            folder=project + slash if slash else "",
            labels=self.runs.split("/")[2],
            objects=image_objects(self.image_objects or "") if is_portal else None,
            practice=practice or msgspec.UNSET,
            partition=partition if partition != "aws" else msgspec.UNSET,
        )


class Decision(NamedTuple):
    """Result of the state GroupImages, and the counts of a manifest whose lines were read.

    `measures` are those of a `project`'s run that ends here, as name, unit and value.
    """

    result: dict[str, Any]
    counts: Mapping[str, int] = {}
    measures: Sequence[tuple[str, str, float]] = ()
    project: str = ""

    @property
    def metrics(self) -> dict[str, int]:
        """Return the counts for CloudWatch: the outcome of the round, and lines by kind."""
        lines = {f"{name.capitalize()}InManifest": count for name, count in self.counts.items()}
        return {OUTCOMES[self.result["outcome"]]: 1} | lines

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a log line tells of the result: all but the request."""
        return {key: value for key, value in self.result.items() if not isinstance(value, dict)}


def ask_round(stack: Stack, event: Mapping[str, Any]) -> Decision:
    """Decide whether the event's round is asked, write all it needs, and return what to go on with.

    Asking the same round again writes the same bytes.
    """
    ask = _ask_first_round if event.get("round", 1) == 1 else _ask_later_round
    try:
        return ask(stack, event)
    except TesseraError as error:
        refusal = {"outcome": "refused", "error": type(error).__name__, "cause": str(error)}
        return Decision(refusal)


def _ask_first_round(stack: Stack, event: Mapping[str, Any]) -> Decision:
    """Write all that a new manifest needs, unless another execution is working on it."""
    files = stack.files
    manifest = with_version(files, event["manifest"])
    settings = find_settings(files, manifest, stack.default_settings)
    manifest = with_content_etag(files, manifest, settings, stack.runs)
    record = begin_record(manifest, settings, event["execution"])
    home = f"{stack.runs}{record.run}/"
    # Before anything else is written: two executions may have begun for the same manifest.
    owner = claim_run(files, f"{home}run.json", record, stack.status)
    if owner != record.execution:
        return _already_running(record.run, home, owner)
    record = decode_record(files.get(f"{home}run.json"))  # which knows whom it was taken from
    read = partial(read_images, files, manifest, settings)
    rule = stack.source_rule(manifest, settings)
    if settings.is_custom:
        return _ask_lines(stack, home, record, settings, rule)
    shape = sample_shape(read(), settings, files.get_range, rule)
    _write_page(stack, settings, record, shape, rule)
    if notices := _notices(files, read, settings, rule):
        record = msgspec.structs.replace(record, notices=notices)
    create = partial(_create, files, home)
    record = _with_embeddings(files, record, settings, create, rule)
    rows = _rows_to_compare(files, home, settings)
    summary = group_manifest(read, settings, create, stack.scratch, rule, rows)
    if idle := without_effect(settings, summary):
        record = msgspec.structs.replace(record, notices=[*(record.notices or ()), *idle])
    record = msgspec.structs.replace(record, counts=summary.counts, pictures=rule)
    _check_embeddings(record)
    if summary.counts["lines"] > FITS_ANY_FUNCTION:
        from tessera.tiling.run.run_size import check_size  # late: only large runs need it

        check_size(settings, summary.counts["lines"], stack.consolidation_megabytes)
    record = _with_blocks(read(), record, settings, create)
    result = _ask(stack, home, record, AskedRound.of(1, summary.shards))
    if settings.offer_first_round and settings.offer_share:
        _offer_first_round(files, home, record, settings, summary.shards)
    return Decision(result, summary.counts)


def _notices(files: Files, read: ReadManifest, settings: Settings, rule: SourceRule) -> list[str]:
    """Return what requesters should know of a run's pictures, of which some are looked at."""
    check_buckets(read(), settings, files.bucket_exists)
    notices = check_pictures(read(), settings, files.head, rule)
    if settings.has_boxes:
        notices += check_box_shapes(read(), settings, files.get_range, rule)
    return notices


def _offer_first_round(
    files: Files, home: str, record: RunRecord, settings: Settings, shards: Sequence[Shard]
) -> None:
    """Write whom the first round's pages are offered to first, by what earlier runs tell.

    After the record, in which the version of the memory is noted; jobs are opened only later.
    """
    # Late: only runs that offer their first round need it.
    from tessera.tiling.workers import worker_memory

    place = worker_memory.RunFolder(home, project_of(record.manifest), record.execution)
    memory = worker_memory.recall(files, place)
    names, earlier = worker_memory.remembered_workers(memory, settings.classes)
    if earlier is None:
        return
    skills = remembered_skills(names, earlier)
    for number, shard in enumerate(shards):
        doubts = np.repeat(skills.doubts, shard.tasks, axis=0)
        name, create = tasks_name(1, number), partial(_create, files, home)
        write_first_offers(name, create, settings, skills, doubts, Exclusions())


def _ask_lines(
    stack: Stack, home: str, record: RunRecord, settings: Settings, rule: SourceRule
) -> Decision:
    """Write the tasks of a custom run, one a line, and its page as it is."""
    # Late: only runs of such tasks need it.
    from tessera.tiling.kinds.custom_task import check_custom_page, group_lines, sample_line

    files = stack.files
    read = partial(read_manifest_bytes, files, record.manifest)
    page = read_page(files, folder_uri(record.manifest)) or ""
    sample = sample_line(read(), settings, rule) if settings.pre_annotation is UNSET else b"{}"
    check_custom_page(page, sample, page_hosts(stack.page_hosts), aws=stack.aws_crowd)
    summary = group_lines(read, settings, partial(_create, files, home), rule)
    files.put(f"{home}page.liquid.html", page.encode(), content_type="text/html")
    if settings.labels:
        labels = label_categories(settings)
        files.put(f"{home}labels.json", labels, content_type="application/json")
    record = msgspec.structs.replace(record, counts=summary.counts, pictures=rule)
    result = _ask(stack, home, record, AskedRound.of(1, summary.shards))
    return Decision(result, summary.counts)


def _with_embeddings(
    files: Files, record: RunRecord, settings: Settings, create: CreateFile, rule: SourceRule
) -> RunRecord:
    """Copy the images' embeddings into the run's folder, and return the record that says so.

    Raises EmbeddingsUnusable if there are none, and the settings need them.
    """
    uri = settings.embeddings or _beside(files, record.manifest)
    if not uri or settings.has_boxes:  # a file beside the manifest has rows of whole pictures
        if key := _key_in_need(settings):
            raise EmbeddingsUnusable(
                f"the settings have {key}, and there are no embeddings of the images: upload "
                f"{_beside_uri(record.manifest)} before the manifest, name embeddings in the "
                f"settings, or leave {key} out{_or_encoder(key)}"
            )
        return record
    # Settings could name what their author may not read, as lines could (docs/threat-model.md).
    if problem := rule.problem(uri):
        raise EmbeddingsUnusable(f"{uri}: {problem.removeprefix('source-ref: ')}")
    # Late: the linear algebra is loaded only by runs that have embeddings.
    from tessera.tiling.guesses import embeddings

    source = embeddings.open_embeddings(files, uri)
    with create(embeddings.COPY_NAME) as file:
        copied = embeddings.copy_embeddings(source, file)
    facts = {"source": uri, **asdict(copied)}
    notices = [*(record.notices or ()), *copied.notices(uri)] or msgspec.UNSET
    return msgspec.structs.replace(record, embeddings=facts, notices=notices)


def _with_blocks(
    chunks: Iterator[bytes], record: RunRecord, settings: Settings, create: CreateFile
) -> RunRecord:
    """List the pictures that the run embeds by itself, and return the record that counts them."""
    if settings.own_encoder is None or record.embeddings:
        return record
    # Late: only runs that embed their own pictures need it.
    from tessera.tiling.guesses import embedding_blocks

    plan = embedding_blocks.plan_blocks(settings.own_encoder, record.counts["lines"])
    embedding_blocks.write_blocks(chunks, settings, record.pictures, plan, create)
    return msgspec.structs.replace(record, embedding_blocks=plan.blocks)


def _key_in_need(settings: Settings) -> str:
    """Return what in the settings needs embeddings, or "" if nothing does."""
    if settings.guesses is not UNSET and settings.own_encoder is None:
        return "guesses"
    if settings.near_repeats is not UNSET:
        return "near_repeats"
    return "order similar" if settings.order == "similar" else ""


def _or_encoder(key: str) -> str:
    hint = '; with "guesses": {"encoder": "efficientnet-lite0"} the run makes them itself'
    return hint if key == "guesses" else ""


def _rows_to_compare(files: Files, home: str, settings: Settings) -> Embeddings | None:
    """Return the rows of the run's embeddings, or None if images are not compared by them."""
    if settings.order != "similar" and settings.near_repeats is UNSET:
        return None
    from tessera.tiling.guesses import embeddings  # late, as above

    return embeddings.open_embeddings(files, home + embeddings.COPY_NAME)


def _beside(files: Files, manifest: Mapping[str, Any]) -> str:
    """Return the URI of the embeddings beside a manifest, or "" if there are none."""
    uri = _beside_uri(manifest)
    return uri if files.head(uri) != 404 else ""


def _beside_uri(manifest: Mapping[str, Any]) -> str:
    return f"s3://{manifest['bucket']}/{embeddings_name(manifest['key'])}"


def _check_embeddings(record: RunRecord) -> None:
    """Raise EmbeddingsUnusable unless there is a row for each line that was counted."""
    if facts := record.embeddings:
        from tessera.tiling.guesses.embeddings import check_rows  # late, as above

        check_rows(facts["source"], facts["rows"], record.counts["lines"])


def _create(files: Files, home: str, name: str) -> AbstractContextManager[Writable]:
    """Open a new file in a run's folder."""
    return files.writer(home + name)


def _ask_later_round(stack: Stack, event: Mapping[str, Any]) -> Decision:
    """Write tasks of the images that the round before left unsure, for one worker more each."""
    files, home, round_ = stack.files, event["home"], event["round"]
    record = decode_record(files.get(f"{home}run.json"))
    # A run can be taken over between rounds, by a drop after its execution was stopped.
    if record.execution != event["execution"]:
        return _already_running(event["run"], home, record.execution)
    unsure = files.iter_lines(f"{home}round-{round_ - 1}/unsure.csv")
    settings, create = settings_of(record), partial(_create, files, home)
    read = partial(read_images, files, record.manifest, settings)
    scratch, rule = stack.scratch, record.pictures
    rows = _rows_to_compare(files, home, settings)
    skills = _skills(files, f"{home}round-{round_ - 1}/{SKILLS_NAME}", settings)
    by_label = settings.is_multi and _page_asks_labels(files, home)
    shards = group_later_round(
        unsure, read, settings, round_, create, scratch, rule, rows, skills, by_label=by_label
    )
    result = _ask(stack, home, record, AskedRound.of(round_, shards))
    if shards:
        return Decision(result)
    # ConsolidateLabels, which tells of a run's end, expected another round
    figures, project = end_with_report(files, home, record.execution)
    return Decision(result, measures=tuple(measure_run(figures)), project=project)


def _page_asks_labels(files: Files, home: str) -> bool:
    """Return whether the run's page can show some of its labels alone.

    A page of the project's own, or of a run that an earlier version began, may show all whatever a
    task names; then all are asked.
    """
    page = files.get_up_to(f"{home}page.liquid.html", MAX_PAGE_BYTES) or b""
    return PAGE_INPUT.encode() in page


def _skills(files: Files, uri: str, settings: Settings) -> Skills | None:
    """Return who is likely to be right about the images of a round, or None if all may be asked.

    A run that was consolidated in parts has no such file.
    """
    document = files.get_up_to(uri, MAX_SKILLS_BYTES) if settings.offer_share else None
    return None if document is None else decode_skills(document)


def _already_running(run: str, home: str, owner: str) -> Decision:
    return Decision({"outcome": "already-running", "run": run, "home": home, "owner": owner})


def _ask(stack: Stack, home: str, record: RunRecord, asked: AskedRound) -> dict[str, Any]:
    """Note the round in run.json, and return the request that opens its jobs."""
    _write_practice(stack, home, record, asked.round)
    _write_qualification(stack, home, record, asked.round)
    if settings_of(record).page is not UNSET:  # it may name whatever its author likes
        uri, rule = f"{home}round-{asked.round}/{RULE_NAME}", msgspec.json.encode(record.pictures)
        stack.files.put(uri, rule, content_type="application/json")
    # Before its jobs are opened, so that no job is without a trace in run.json.
    record = record.with_round(asked)
    document = msgspec.json.encode(record)
    stack.files.put(f"{home}run.json", document, content_type="application/json")
    return ask_result(home, record, asked, stack.surroundings)


def _write_practice(stack: Stack, home: str, record: RunRecord, round_: int) -> None:
    """Write the pictures to practice on beside the round's tasks, where the portal may read."""
    settings, folder = settings_of(record), folder_uri(record.manifest)
    if not settings.practice:
        return
    # They are signed like a task's pictures, so the same rule holds for them.
    if problem := record.pictures.problem(folder + next(iter(settings.practice))):
        raise SettingsInvalid([f"practice: {problem.removeprefix('source-ref: ')}"])
    uri = home + practice_name(f"round-{round_}/")
    stack.files.put(uri, encode_practice(settings, folder), content_type="application/json")


def _write_qualification(stack: Stack, home: str, record: RunRecord, round_: int) -> None:
    """Write the qualification's pictures and labels where the portal may read them."""
    settings, folder = settings_of(record), folder_uri(record.manifest)
    if settings.qualify is UNSET:
        return
    uri = home + qualification_name(f"round-{round_}/")
    if round_ > 1:  # as it was: the pictures beside the manifest may be others by now
        document = stack.files.get(home + qualification_name("round-1/"))
    else:
        pictures = copy_pictures(settings, stack.files, folder, home, record.pictures)
        records = records_uri(home, project_of(record.manifest))
        document = QualificationFile(records, pictures).encode()
    stack.files.put(uri, document, content_type="application/json")


def _write_page(
    stack: Stack, settings: Settings, record: RunRecord, shape: float | None, rule: SourceRule
) -> None:
    # Late: only a first round needs Liquid.
    from tessera.tiling.page.page import build_page, check_page
    from tessera.tiling.page.page_language import language_script

    home, folder = f"{stack.runs}{record.run}/", folder_uri(record.manifest)
    own = None if settings.page is UNSET else read_page(stack.files, folder)
    stack_file = "" if own else KINDS[settings.task].page
    template = own or stack.template.with_name(stack_file).read_text("utf-8")
    labels = label_categories(settings)
    # What the instructions show is signed like a task's pictures, so the same rule holds for it.
    language = language_script(settings, stack.template.parent)
    page = build_page(
        template,
        settings,
        shape,
        folder,
        lambda uri: not rule.problem(uri),
        language,
        stack_file=stack_file,
    )
    check_page(page, settings, stack_file=stack_file)
    stack.files.put(f"{home}page.liquid.html", page.encode(), content_type="text/html")
    stack.files.put(f"{home}labels.json", labels, content_type="application/json")
