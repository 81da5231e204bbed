"""Make a run of a Ground Truth job's answers: written as a round that was asked, and labeled."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from hashlib import sha256
from typing import Any

import msgspec

from tessera.exits import Refused
from tessera.runs.checks import count_lines
from tessera.runs.ground_truth_job import GroundTruthJob, choice_of
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT
from tessera.tiling.errors import TesseraError
from tessera.tiling.label_run import label_run
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import (
    COMPLETED,
    OUTPUT_MANIFEST,
    STOPPED,
    jobs_folder,
    name_prefix,
    tasks_name,
)
from tessera.tiling.run.offsets import offsets_name, pack_offsets
from tessera.tiling.run.run import read_run
from tessera.tiling.run.run_record import AskedRound, RunRecord
from tessera.tiling.settings import Settings, settings_from

MOST_WORKERS = 9
"""Answers to an image that settings can say were asked for; more are read all the same."""


def import_job(cloud: Cloud, job: GroundTruthJob, place: str) -> dict[str, Any]:
    """Write a job as a run of one round, label it, and return what became of it, in numbers."""
    settings = _settings(job, place)
    name, home = _name(cloud, job, settings, place)
    record = _write_run(cloud, home, name, job, settings, place)
    complete = all(len(job.answers.get(index, ())) for index in range(len(job.lines)))
    event = {
        "run": name,
        "home": home,
        "round": 1,
        "jobs": [{"name": job_name(name, 1, 0), "status": COMPLETED if complete else STOPPED}],
        "execution": record.execution,
        # the labels' creation date: when the last answer came
        "started": job.latest or "1970-01-01T00:00:00.000Z",
    }
    try:
        run = read_run(msgspec.json.encode(record), event)
        result, figures = label_run(
            cloud.storage, run, ROOT / "ui" / "report.liquid.html", lambda _: nullcontext()
        )
    except TesseraError as error:
        raise Refused(f"{place} cannot be labeled: {error}") from error
    return {
        "run": name,
        "home": home,
        "images": result.lines.counts.lines,
        "labeled": result.lines.counts.training,
        "unlabeled": result.lines.counts.unlabeled,
        "rejected": result.lines.counts.rejected,
        "answers": figures["answers"]["used"],
        "workers": len(result.names),
        "odd": dict(result.noted) | dict(job.odd),
        **_compared(cloud, home, job, settings),
        "notices": record.notices or [],
    }


def _write_run(
    cloud: Cloud, home: str, name: str, job: GroundTruthJob, settings: Settings, place: str
) -> RunRecord:
    """Write the files of a run as if a round had been asked, its record last, and return that."""
    manifest = msgspec.json.Encoder().encode_lines(job.lines)
    bucket, _, key = home.removeprefix("s3://").partition("/")
    record = RunRecord(
        run=name,
        execution=f"import of {place}",
        manifest={"bucket": bucket, "key": f"{key}imported.manifest"},
        settings=msgspec.to_builtins(settings),
        rounds=[AskedRound(1, 1, len(job.lines), len(job.lines))],
        counts=count_lines(manifest, name, settings).counts,
        notices=_notices(job) or msgspec.UNSET,
        done=True,
    )
    _write_tasks(cloud, home, name, job)
    cloud.storage.put(f"{home}imported.manifest", manifest, content_type="application/jsonlines")
    document = msgspec.json.encode(record)
    cloud.storage.put(f"{home}run.json", document, content_type="application/json")
    return record


def _settings(job: GroundTruthJob, place: str) -> Settings:
    """Return settings of one round that had as many answers as the job's fullest line."""
    answers = min(max(job.most_answers, 1), MOST_WORKERS)
    try:
        return settings_from({
            "labels": job.labels,
            "label_attribute": job.attribute,
            "answers_per_image": answers,
            "max_answers": answers,
            "images_per_task": 1,
            "repeats": "each",
            "bad_lines": 1,
        })  # fmt: skip
    except TesseraError as error:
        raise Refused(
            f"{place} names no labels that can be used: {error}. Name them: --labels A,B"
        ) from error


def _name(cloud: Cloud, job: GroundTruthJob, settings: Settings, place: str) -> tuple[str, str]:
    """Return the run's name and home: what is imported names it, so that twice is once."""
    content = [job.lines, sorted(job.answers.items()), msgspec.to_builtins(settings)]
    digest = sha256(msgspec.json.encode(content)).hexdigest()[:12]
    name = name_prefix(f"imported/{place.rstrip('/').rpartition('/')[2]}.manifest") + digest
    return name, f"{cloud.outputs['Labels'].rstrip('/')}/{name}/"


def _write_tasks(cloud: Cloud, home: str, name: str, job: GroundTruthJob) -> None:
    """Write the job's tasks, one a line, and its output manifest, as the core reads them."""
    tasks, outputs, offsets = [], [], [0]
    for index, line in enumerate(job.lines):
        image = {"source-ref": line.get("source-ref", ""), "index": index}
        task = {"source": msgspec.json.encode([image]).decode()}
        tasks.append(msgspec.json.encode(task) + b"\n")
        offsets.append(offsets[-1] + len(tasks[-1]))
        responses = [
            {"workerId": answer["workerId"], "annotation": {str(index): choice_of(
                answer["answer"], job.labels
            )}} | ({"seconds": {str(index): answer["seconds"]}} if "seconds" in answer else {})
            for answer in job.answers.get(index, {}).values()
        ]  # fmt: skip
        labeled = task | {job.attribute: {"responses": responses}} if responses else task
        outputs.append(msgspec.json.encode(labeled) + b"\n")
    manifest = f"{home}{tasks_name(1, 0)}"
    output = f"{jobs_folder(home, 1)}/{job_name(name, 1, 0)}/{OUTPUT_MANIFEST}"
    for uri, content in (
        (manifest, b"".join(tasks)),
        (offsets_name(manifest), pack_offsets(offsets)),
        (output, b"".join(outputs)),
    ):
        cloud.storage.put(uri, content, content_type="application/jsonlines")


def _notices(job: GroundTruthJob) -> list[str]:
    """Return what is odd about the job's files, in sentences."""
    sentences = [f"{count:,} {what}" for what, count in sorted(job.odd.items())]
    unanswered = sum(not job.answers.get(index) for index in range(len(job.lines)))
    if unanswered:
        sentences.append(f"{unanswered:,} of {len(job.lines):,} lines have no answer")
    sizes = Counter(map(len, job.answers.values()))
    fewer = sum(count for size, count in sizes.items() if size < job.most_answers)
    if fewer:
        sentences.append(
            f"{fewer:,} lines have fewer answers than the {job.most_answers} of the others"
        )
    return [f"{sentence}." for sentence in sentences]


def _compared(cloud: Cloud, home: str, job: GroundTruthJob, settings: Settings) -> dict[str, int]:
    """Return how many labels are as the job had them, and how many are others."""
    counts = Counter[bool]()
    labeled = cloud.storage.iter_lines(f"{home}training.manifest")
    names = {}
    for line in labeled:
        record = msgspec.json.decode(line)
        names[record.get("source-ref")] = record[f"{settings.label_attribute}-metadata"]
    for index, before in job.before.items():
        metadata = names.get(job.lines[index].get("source-ref"))
        if metadata:
            counts[metadata["class-name"] == before] += 1
    return {"as_before": counts[True], "other_than_before": counts[False]}
