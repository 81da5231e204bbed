"""`tessera import`: a Ground Truth job's answers become a run, other tools' images a manifest."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import click
import msgspec
from click.core import ParameterSource

from tessera.commands.import_source import SOURCES, write_labels, write_source
from tessera.exits import Exit, Refused
from tessera.file_types import IN_FILE, OutFile
from tessera.option_lists import listed
from tessera.runs.checks import count_lines
from tessera.runs.ground_truth_job import (
    GroundTruthJob,
    choice_of,
    read_job,
    tree_at,
)
from tessera.screen import json_option, out, print_json, waiting, warn
from tessera.sources.ground_truth import read_output
from tessera.sources.labeled import BOXES, LABELS_AS, LabelsAs
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT
from tessera.tiling.errors import TesseraError
from tessera.tiling.label_run import label_run
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import COMPLETED, STOPPED, name_prefix, tasks_name
from tessera.tiling.run.offsets import offsets_name, pack_offsets
from tessera.tiling.run.run import read_run
from tessera.tiling.run.run_record import AskedRound, RunRecord
from tessera.tiling.settings import Settings, settings_from

MOST_WORKERS = 9
"""Answers to an image that settings can say were asked for; more are read all the same."""


@click.command("import")
@click.option(
    "--ground-truth", "place", metavar="S3-URI|FOLDER",
    help="Output of one labeling job: s3://BUCKET/OUTPUT/JOB, or a copy of it; with --out its "
    "output manifest alone will do.",
)  # fmt: skip
@click.option("--coco", type=IN_FILE, help="COCO annotations: a picture's categories.")
@click.option("--label-studio", type=IN_FILE, help="JSON export of Label Studio.")
@click.option("--csv", type=IN_FILE, help="CSV file of images: a column image or url, label.")
@click.option(
    "--huggingface", type=click.Path(path_type=Path), metavar="FOLDER|FILE",
    help="Data set of Hugging Face: Parquet, or an image folder.",
)  # fmt: skip
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the pictures that COCO or Label Studio name.",
)  # fmt: skip
@click.option(
    "--labels-as", type=click.Choice([*LABELS_AS, BOXES]), default="gold", show_default=True,
    help="What the labels become: gold images, guesses, finished lines, or boxes to verify.",
)  # fmt: skip
@click.option(
    "--out", "path", type=OutFile(),
    help="Manifest to write; of a Ground Truth job without it a run is made.",
)  # fmt: skip
@click.option("--labels", metavar="A,B,…", help="Labels, where the job's files do not name them.")
@click.option(
    "--label-attribute", "attribute", metavar="KEY",
    help="Key of a job's labels, where lines have those of several jobs.  [default: the newest]",
)  # fmt: skip
@click.option(
    "--manifest", type=IN_FILE,
    help="Input manifest of a job that wrote no output manifest.",
)  # fmt: skip
@json_option("Print the summary as JSON.")
@click.pass_context
def import_command(
    context: click.Context,
    /,
    place: str | None,
    images: Path | None,
    labels_as: LabelsAs | Literal["boxes"],
    path: Path | None,
    labels: str | None,
    attribute: str | None,
    manifest: Path | None,
    as_json: bool,
    **sources: Path | None,
) -> None:
    """Make a run of a Ground Truth job's answers, or a manifest of another tool's images.

    The job may have finished or been stopped. Its answers are consolidated as those of any run are;
    nobody is asked anything. Importing the same job again makes the same run.

    Of another tool's images a manifest is written, to be dropped, and with --out of a job's, too.
    The labels become gold images, which show how workers do, guesses for them to confirm, or
    finished lines.
    """
    given = {name: file for name, file in sources.items() if file is not None}
    if len(given) + (place is not None) != 1:
        ways = ", ".join(f"--{name.replace('_', '-')}" for name in ("ground_truth", *SOURCES))
        raise click.UsageError(f"Give one source: {ways}.")
    if place is None:
        ((source, file),) = given.items()
        ending = write_source(
            source,
            file,
            folder=images,
            labels_as=labels_as,
            manifest=path,
            command=context.obj.command,
            as_json=as_json,
        )
        context.exit(ending)
    if path is not None:
        with waiting("Reading the job's labels"):
            output = read_output(
                place, listed(labels), attribute or "", lambda: context.obj.cloud.storage
            )
        ending = write_labels(
            output,
            labels_as=labels_as,
            manifest=path,
            command=context.obj.command,
            as_json=as_json,
        )
        context.exit(ending)
    if context.get_parameter_source("labels_as") is ParameterSource.COMMANDLINE:
        raise Refused("Give the manifest to write: --out NAME.manifest. Without it a run is made.")
    cloud: Cloud = context.obj.cloud
    tree = tree_at(place, lambda: cloud.storage)
    if tree is None:
        raise Refused(_no_folder(place))
    with waiting("Reading the job's answers"):
        job = read_job(tree, place, manifest, attribute)
    if labels:
        job.labels = [*listed(labels)]
    summary = import_job(cloud, job, place)
    warn(summary["notices"])
    if as_json:
        print_json(summary)
    else:
        out.print(
            f"{summary['run']}: {summary['labeled']:,} of {summary['images']:,} lines labeled from "
            f"{summary['answers']:,} answers of {summary['workers']:,} workers.", markup=False,
        )  # fmt: skip
        out.print(cloud.command(f"report {summary['run']}"), markup=False, soft_wrap=True)
    context.exit(Exit.OK if summary["labeled"] else Exit.PARTIAL)


def _no_folder(place: str) -> str:
    """Say that a place is no folder, and what to give."""
    if Path(place).is_file():
        return (
            f"{place} is a file, which has labels and no answers. Give the job's folder, or write "
            "a manifest of its labels: --out NAME.manifest"
        )
    return f"There is no folder {place}. Give one, or an address: s3://BUCKET/OUTPUT/JOB"


def import_job(cloud: Cloud, job: GroundTruthJob, place: str) -> dict[str, Any]:
    """Write a job as a run of one round, label it, and return what became of it, in numbers."""
    settings = _settings(job, place)
    name, home = _name(cloud, job, settings, place)
    notices = _notices(job)
    manifest = b"".join(msgspec.json.encode(line) + b"\n" for line in job.lines)
    counts = count_lines(manifest, name, settings).counts
    _write_tasks(cloud, home, name, job)
    cloud.storage.put(f"{home}imported.manifest", manifest, content_type="application/jsonlines")
    bucket, _, key = home.removeprefix("s3://").partition("/")
    record = RunRecord(
        run=name,
        execution=f"import of {place}",
        manifest={"bucket": bucket, "key": f"{key}imported.manifest"},
        settings=msgspec.to_builtins(settings),
        rounds=[AskedRound(1, 1, len(job.lines), len(job.lines))],
        counts=counts,
        notices=notices or msgspec.UNSET,
        done=True,
    )
    cloud.storage.put(
        f"{home}run.json", msgspec.json.encode(record), content_type="application/json"
    )
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
        run = read_run(cloud.storage.get(f"{home}run.json"), event)
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
        "notices": notices,
    }


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
    output = f"{home}round-1/jobs/{job_name(name, 1, 0)}/manifests/output/output.manifest"
    for uri, content in (
        (manifest, b"".join(tasks)),
        (offsets_name(manifest), pack_offsets(offsets)),
        (output, b"".join(outputs)),
    ):
        cloud.storage.put(uri, content, content_type="application/jsonlines")


def _notices(job: GroundTruthJob) -> list[str]:
    """Return what a person should know of the job's files, in sentences."""
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
