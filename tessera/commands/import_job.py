"""`tessera import`: a Ground Truth job's answers become a run, other tools' images a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from tessera.commands.import_source import SOURCES, NewManifest, write_labels, write_source
from tessera.exits import Exit, Refused
from tessera.file_types import IN_FILE, OutFile
from tessera.option_lists import listed
from tessera.runs.ground_truth_job import read_job, tree_at
from tessera.runs.imported_run import import_job
from tessera.screen import json_option, out, print_json, waiting, warn
from tessera.sources.ground_truth import read_output
from tessera.sources.labeled import BOXES, LABELS_AS, LabelsAs
from tessera.stack.cloud import Cloud


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
    new = NewManifest(path, labels_as, context.obj.command, as_json) if path else None
    if place is None:
        ((source, file),) = given.items()
        context.exit(write_source(source, file, images, new))
    if new:
        with waiting("Reading the job's labels"):
            output = read_output(
                place, listed(labels), attribute or "", lambda: context.obj.cloud.storage
            )
        context.exit(write_labels(output, new))
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
