"""State ConsolidateLabels: answers of all rounds -> labels -> training manifest and report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tessera.aws.connection import Connection, connect
from tessera.aws.storage import Storage
from tessera.aws.telemetry import logger, observed, publish
from tessera.aws.tracing import step, traced
from tessera.tiling.answers.answer_book import AnswerBook, Task
from tessera.tiling.answers.submission import Odd
from tessera.tiling.answers.table import answer_rows, columns, known_classes, unsure_rows
from tessera.tiling.consensus import Consensus, Evidence, consolidate
from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.job_names import job_name
from tessera.tiling.jobs import COMPLETED
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.report.agreement import agreement_figures
from tessera.tiling.report.announcement import announce_labels, explain_nothing_labeled
from tessera.tiling.report.confidence import (
    answer_figures,
    calibration,
    confidence_figures,
    doubtful_images,
    gold_figures,
)
from tessera.tiling.report.metrics import run_measures
from tessera.tiling.report.render import render_report, report, write_report
from tessera.tiling.report.rounds import round_figures
from tessera.tiling.report.time_and_cost import cost_figures, time_figures
from tessera.tiling.report.workers import pages_to_look_at, too_fast, worker_figures
from tessera.tiling.settings import Settings, read_settings
from tessera.tiling.training.label_splice import LabelSplice, creation_date
from tessera.tiling.training.write_manifests import (
    UNANSWERED_REASON,
    LineOutcomes,
    ManifestFiles,
    label_lines,
    write_manifests,
)

READERS = 32
"""Workers' responses read at the same time, where a job did not hand on all of its answers."""


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what became of the run's images, as counts and URIs."""
    result = consolidate_run(connection().storage, event)
    figures = {key: value for key, value in result.items() if not isinstance(value, dict)}
    logger.info("labels consolidated", extra=figures)
    return result


def consolidate_run(storage: Storage, event: dict[str, Any]) -> dict[str, Any]:
    """Consolidate every round so far, write the run's files, and say what became of the images."""
    home, round_ = event["home"], event["round"]
    record = msgspec.json.decode(storage.get(f"{home}run.json"))
    settings = read_settings(msgspec.json.encode(record["settings"]))
    lines = record["counts"]["lines"]

    with step("gather answers"), _written_if_used(storage, f"{home}odd-answers.jsonl") as note:
        book = AnswerBook(settings.classes, settings.escape, settings.label_attribute, note)
        for round_asked in range(1, round_ + 1):
            _gather(storage, book, event, settings, round_asked)
    table = columns(book, images=lines, classes=len(settings.classes))
    crowd, names = table.crowd, table.names
    gold = _gold(storage, record, settings)
    known = known_classes(gold, lines)
    evidence = Evidence(known if gold else None)
    with step("consolidate"):
        consensus = consolidate(crowd, settings.method, evidence=evidence)
    rows = answer_rows(book, (*settings.classes, settings.escape))
    _write(storage, f"{home}answers.csv", rows, "text/csv")

    doubtful = doubtful_images(crowd, consensus, settings.classes, settings.escape)
    watched = [image["index"] for image in doubtful]
    with step("write manifests"):
        ended = _end_lines(storage, event, record, settings, consensus, gold, watched)
    doubtful = [
        image | {"source": ended.sources[image["index"]]}
        for image in doubtful
        if image["index"] in ended.sources
    ]
    counts = ended.counts
    counts.check(lines)
    again = len(ended.unsure) if _may_ask_again(event, settings) else 0
    if again:
        rows = unsure_rows(ended.unsure, crowd, names)
        _write(storage, f"{home}round-{round_}/unsure.csv", rows, "text/csv")
    tasks = {asked["round"]: asked["tasks"] for asked in record.get("rounds") or []}
    rounds = round_figures(
        crowd, consensus, table.round_, method=settings.method, evidence=evidence, tasks=tasks
    )
    answers = answer_figures(table) | {"noted": dict(sorted(book.figures.items()))}
    workers = worker_figures(crowd, consensus, names, seconds=table.seconds, known=known)
    fast = dict(zip(names, too_fast(crowd, table.seconds), strict=True))
    manifest = f"s3://{record['manifest']['bucket']}/{record['manifest']['key']}"
    figures = report(
        run=event["run"],
        settings=settings,
        counts=counts,
        unlabeled=+ended.reasons,
        labels={name: ended.labels[number] for number, name in enumerate(settings.classes)},
        answers=answers,
        confidence=confidence_figures(consensus),
        gold=gold_figures(consensus, known),
        workers=[worker | {"too_fast": fast[worker["worker"]]} for worker in workers],
        pages=pages_to_look_at(crowd, consensus, names, page=table.page, seconds=table.seconds),
        jobs=event["jobs"],
        manifest=manifest,
        started=event["started"],
        calibration=calibration(consensus, known),
        agreement=agreement_figures(crowd, consensus, settings.classes),
        rounds=rounds,
        time=time_figures(len(crowd), answers["seconds_per_image"], settings),
        cost=cost_figures(rounds, settings),
        doubtful=doubtful,
    )
    if not again:  # a run is measured once, at its end
        publish(run_measures(figures), record["manifest"]["key"].rpartition("/")[0] or "none")
    storage.put(f"{home}report.json", write_report(figures), content_type="application/json")
    template = Path(os.environ.get("UI_DIRECTORY", "/opt"), "report.liquid.html").read_text("utf-8")
    page = render_report(template, figures)
    storage.put(f"{home}report.html", page.encode(), content_type="text/html; charset=utf-8")

    asked = counts.lines - counts.rejected - counts.labeled_before - counts.gold
    result = {
        "outcome": "nothing-labeled" if asked and not len(crowd) else "again" if again else "done",
        "run": event["run"],
        "home": home,
        "round": round_,
        "images": counts.lines,
        "labeled": counts.training,
        "unlabeled": counts.unlabeled,
        "rejected": counts.rejected,
        "uncertain": counts.uncertain,
        "again": again,
        "partial": not _all_completed(event) or ended.reasons[UNANSWERED_REASON] > 0,
        "training_manifest": f"{home}training.manifest",
        "report": f"{home}report.html",
    }
    if result["outcome"] == "nothing-labeled":
        return result | {"failure": explain_nothing_labeled(event["jobs"], home)}
    jobs, execution = event["jobs"], event["execution"]
    announcement = announce_labels(result, manifest=manifest, jobs=jobs, execution=execution)
    return result | {"announcement": announcement}


def _all_completed(event: dict[str, Any]) -> bool:
    return all(job["status"] == COMPLETED for job in event["jobs"])


def _may_ask_again(event: dict[str, Any], settings: Settings) -> bool:
    """Whether one more round is allowed: not past the most answers, nor after an ended job."""
    return settings.answers_per_image + event["round"] <= settings.max_answers and _all_completed(
        event
    )


def _gather(
    storage: Storage, book: AnswerBook, event: dict[str, Any], settings: Settings, round_: int
) -> None:
    """Take in every answer of one round's jobs."""
    folder = f"{event['home']}round-{round_}/"
    wanted = settings.answers_per_image if round_ == 1 else 1
    for uri in storage.list_uris(f"{folder}tasks-"):
        if not uri.endswith(".manifest"):
            continue
        shard = int(uri.removesuffix(".manifest").rsplit("-", 1)[1])
        job = job_name(event["run"], round_, shard)
        output = f"{folder}jobs/{job}/manifests/output/output.manifest"
        read = output if storage.exists(output) else uri  # the tasks alone: nobody's answers yet
        tasks = book.read_output(
            job,
            storage.iter_lines(read),
            round_=round_,
            wanted=wanted,
            asked=_tasks_of(storage, uri),
        )
        short = {task.number: task for task in tasks}
        unknown = {number: task for number, task in short.items() if not task.shown}
        if unknown:  # their lines cannot be read or are not there, but what was asked is known
            for number, line in enumerate(storage.iter_lines(uri)):
                if number in unknown:
                    unknown[number].show(line)
        if short:
            _rescue(storage, book, f"{folder}jobs/{job}/annotations/worker-response/", short)


def _tasks_of(storage: Storage, manifest: str) -> int:
    """How many tasks a tasks manifest has, by the offsets beside it; 0 if they are not there."""
    return max((storage.size(manifest.removesuffix("manifest") + "offsets") or 0) // 8 - 1, 0)


def _rescue(storage: Storage, book: AnswerBook, folder: str, short: dict[int, Task]) -> None:
    """Take in what workers said to tasks that the output manifest has too few answers of."""
    found: list[tuple[Task, str]] = []
    for uri in storage.list_uris(folder):
        _iteration, _, rest = uri.removeprefix(folder).partition("/")
        number = rest.partition("/")[0]
        if number.isdecimal() and int(number) in short:
            found.append((short[int(number)], uri))
    with ThreadPoolExecutor(READERS) as pool:
        contents = pool.map(storage.get, [uri for _, uri in found])
        for (task, _), content in zip(found, contents, strict=True):
            book.figures["submissions rescued"] += book.rescue(task, content)


def _pieces(storage: Storage, record: dict[str, Any]) -> Iterator[bytes]:
    """The manifest as it was when it was grouped."""
    manifest = record["manifest"]
    uri = f"s3://{manifest['bucket']}/{manifest['key']}"
    gone = ManifestUnreadable(
        f"{uri} is gone as it was when the run began, and labels are written to its lines. No "
        "answer is lost: answers.csv in the run's folder has all, and tessera consolidate "
        "makes labels of it"
    )
    return storage.iter_chunks(uri, manifest.get("version-id"), if_missing=gone)


def _gold(storage: Storage, record: dict[str, Any], settings: Settings) -> dict[int, int]:
    """The known labels by line."""
    if not record["counts"].get("gold"):
        return {}
    numbers = {name: number for number, name in enumerate(settings.classes)} | {settings.escape: -1}
    return {
        line.index: numbers[line.gold]
        for line in read_manifest(manifest_lines(_pieces(storage, record)), settings)
        if type(line) is Image and line.gold is not None
    }


def _repeats(storage: Storage, home: str, record: dict[str, Any]) -> dict[int, int]:
    """Which line each repeated line is labeled like."""
    if not record["counts"].get("repeats"):
        return {}
    rows = storage.iter_lines(f"{home}repeats.csv")
    pairs = (row.split(b",") for row in rows if row[:1].isdigit())
    return {int(later): int(first) for later, first in pairs}


def _end_lines(
    storage: Storage,
    event: dict[str, Any],
    record: dict[str, Any],
    settings: Settings,
    consensus: Consensus,
    gold: dict[int, int],
    watched: list[int],
) -> LineOutcomes:
    """Read the manifest again and write the manifests that its lines end in."""
    home = event["home"]
    classes = [(settings.labels.index(name), name) for name in settings.classes]
    naming = {"run": event["run"], "created": creation_date(event["started"])}
    with ExitStack() as open_files:
        files = ManifestFiles(
            *(
                open_files.enter_context(storage.writer(f"{home}{name}", content_type=kind))
                for name, kind in (
                    ("training.manifest", "application/jsonlines"),
                    ("unlabeled.manifest", "application/jsonlines"),
                    ("uncertain.manifest", "application/jsonlines"),
                    ("unlabeled.csv", "text/csv"),
                )
            )
        )
        duplicates = _repeats(storage, home, record)
        labels = label_lines(consensus, gain=settings.gain, gold=gold, duplicates=duplicates)
        splice = LabelSplice(settings.label_attribute, classes, **naming)
        lines = _pieces(storage, record)
        return write_manifests(lines, settings, labels, splice, files, watched=watched)


def _write(storage: Storage, uri: str, pieces: Iterable[bytes], content_type: str) -> None:
    with storage.writer(uri, content_type=content_type) as file:
        for piece in pieces:
            file.write(piece)


@contextmanager
def _written_if_used(storage: Storage, uri: str) -> Iterator[Any]:
    """A function that writes down odd answers; a run without any has no such file."""
    with ExitStack() as files:
        opened: list[Any] = []

        def note(odd: Odd) -> None:
            if not opened:
                file = storage.writer(uri, content_type="application/jsonlines")
                opened.append(files.enter_context(file))
            opened[0].write(msgspec.json.encode(odd) + b"\n")

        yield note
