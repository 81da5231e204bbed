"""`tessera estimate`: what a manifest will cost, before it costs anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from tessera.file_types import IN_FILE
from tessera.number_types import DOLLARS, Amount
from tessera.option_lists import labels_option, listed
from tessera.picture_folder import look_at_pictures
from tessera.runs.checks import (
    count_lines,
    count_manifest,
    labeled_otherwise,
    refuse_csv,
)
from tessera.runs.fetched_pictures import any_elsewhere, with_placeholders
from tessera.runs.folder import find_run
from tessera.runs.own_embeddings import check_own_embeddings, find_own_embeddings
from tessera.runs.source import Source
from tessera.screen import counted, json_option, out, print_json, warn
from tessera.stack.cloud import Cloud
from tessera.stack.target import Target
from tessera.tiling.estimate import (
    OBJECT_PRICE,
    AskedAgain,
    Assumptions,
    Estimate,
    asked_again,
    estimate,
    page_seconds,
)
from tessera.tiling.grouping.first_round import Summary
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.guesses.embeddings import EmbeddingsFile
from tessera.tiling.settings import Settings, warnings


@dataclass(frozen=True, slots=True)
class Basis:
    """Assumed speed and shares of images asked again, each with a note of where it comes from."""

    seconds: float
    seconds_source: str
    again: AskedAgain
    again_source: str


@click.command("estimate")
@click.argument("manifest", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--settings", "settings_path", type=IN_FILE,
    help="Settings file.  [default: labeling.json beside the manifest]", show_default=False,
)  # fmt: skip
@labels_option
@click.option("--like", "run", metavar="RUN", help="Take speed and rounds from this run's report.")
@click.option(
    "--seconds", type=Amount(min=0.05),
    help="Seconds a worker takes for an image on a page of many.",
)  # fmt: skip
@click.option(
    "--seconds-alone", "seconds_one_by_one", type=Amount(min=0.05),
    default=round(page_seconds(1), 2), help="The same for an image on a page of its own.",
)  # fmt: skip
@click.option(
    "--object-price", type=DOLLARS, default=OBJECT_PRICE,
    help="Ground Truth's fee for a page, in dollars.",
)  # fmt: skip
@click.option(
    "--answer-price", type=DOLLARS, default=0.0, help="What a worker gets for a page, in dollars."
)
@click.option(
    "--hour-price", type=DOLLARS, default=0.0, help="What a worker gets for an hour, in dollars."
)
@click.option(
    "--picture-kb", "picture_kilobytes", type=Amount(min=0), default=100.0,
    help="Kilobytes of a picture.",
)  # fmt: skip
@json_option("Print the estimate as JSON.")
@click.pass_obj
def estimate_command(
    target: Target,
    /,
    manifest: Path,
    settings_path: Path | None,
    labels: str | None,
    run: str | None,
    seconds: float | None,
    as_json: bool,
    **prices: float,
) -> None:
    """Estimate what it costs to label MANIFEST: answers, hours of work and fees.

    MANIFEST may also be a folder of images, which are looked at as a drop looks at them. Where a
    stack runs, its settings and people count as for a drop; it works without one, too.
    The same images on pages of one are estimated beside it. Nothing is uploaded, and no worker
    is asked.
    """
    folder = manifest if manifest.is_dir() else manifest.parent
    if not manifest.is_dir():
        refuse_csv(manifest, target.command)
    source = Source(
        manifest,
        settings_path or folder / "labeling.json",
        folder.resolve().name,
        labels=listed(labels),
    )
    settings = source.planned_settings(_stack(target))
    summary = _count(manifest, settings)
    notices = [*warnings(settings), *without_effect(settings, summary)]
    if not manifest.is_dir():
        notices += labeled_otherwise(manifest, settings)
    path = find_own_embeddings(manifest)
    embeddings = check_own_embeddings(path, summary.lines) if path else None
    report = find_run(target.cloud, run).report if run else None
    basis = _basis(settings, seconds, report)
    assumed = Assumptions(seconds=basis.seconds, asked_again=basis.again, **prices)
    result = estimate(
        images=summary.images,
        tasks=sum(shard.tasks for shard in summary.shards),
        shards=len(summary.shards),
        settings=settings,
        assumed=assumed,
        has_embeddings=embeddings is not None or bool(settings.embeddings),
    )
    if as_json:
        facts = {"counted": summary, "estimate": result, "assumed": assumed}
        notes: dict[str, Any] = {"warnings": notices}
        notes |= {"embeddings": embeddings.uri} if embeddings else {}
        print_json({"manifest": str(manifest)} | msgspec.to_builtins(facts) | notes)
        return
    _show_counts(summary, result, settings)
    _show_embeddings(embeddings, result, settings)
    out.print()
    out.print(_cost_table(result))
    out.print()
    out.print("[bold]Assumptions[/]")
    for line in describe_assumptions(settings, assumed, basis):
        out.print(f"  {line}", soft_wrap=True)
    warn(notices)


def _stack(target: Target) -> Cloud | None:
    """Return the stack to drop into, None if there is none that answers: an estimate needs none."""
    try:
        cloud = target.cloud
        return cloud if cloud.outputs else None
    except (click.ClickException, BotoCoreError, ClientError):
        return None


def _count(source: Path, settings: Settings) -> Summary:
    """Count what a run would make of a manifest or of a folder's pictures."""
    if source.is_dir():
        # By content, as a drop names them, so that copies are counted as duplicates.
        lines = (f'{{"source-ref": "s3://inbox/{p.digest}"}}\n' for p in look_at_pictures(source))
        return count_lines("".join(lines).encode(), source.resolve().name, settings)
    if any_elsewhere(source):  # pictures that a drop fetches
        return count_lines(with_placeholders(source.read_bytes()), source.name, settings)
    return count_manifest(source, settings)


def _basis(settings: Settings, seconds: float | None, report: dict[str, Any] | None) -> Basis:
    """Take speed and rounds from the option, else from an earlier run, else from measurements."""
    basis = Basis(
        seconds or page_seconds(settings.images_per_task),
        "as given" if seconds else f"as measured on a page of {settings.images_per_task}",
        asked_again(settings.gain),
        f"as public crowds needed at a gain of {settings.gain:g}",
    )
    if report is None:
        return basis
    source = f"as in the run {report['run']}"
    measured = (report.get("time") or {}).get("seconds_per_image")
    if measured and not seconds:
        basis = replace(basis, seconds=measured, seconds_source=source)
    again = _again_in(report, basis.again.further)
    return replace(basis, again=again, again_source=source) if again else basis


def _again_in(report: dict[str, Any], further: float) -> AskedAgain | None:
    """Return the shares of images asked again in a run; None if it had no second round.

    Where it had no third round either, `further` stands in for what that would have shown.
    """
    images = [float(entry["images"]) for entry in report.get("rounds") or []]
    if len(images) < 2 or not images[0]:
        return None
    if len(images) > 2 and images[1]:
        further = images[2] / images[1]
    return AskedAgain(images[1] / images[0], further)


def _show_counts(summary: Summary, result: Estimate, settings: Settings) -> None:
    """Print what is in the manifest, and the rounds to be expected."""
    others = {
        "labeled already": summary.labeled,
        "duplicates": summary.repeats,
        "gold images": summary.gold,
        "rejected": summary.rejected,
    }
    out.print(
        f"[bold]{counted(summary.lines, 'line')}[/]: {counted(summary.images, 'image')} to label"
        + "".join(f", {number:,} {name}" for name, number in others.items() if number)
    )
    for entry in result.rounds:
        workers = settings.answers_per_image if entry.round == 1 else 1
        jobs = counted(len(summary.shards), "job")
        out.print(
            f"  round {entry.round}: {entry.images:,.0f} images on {counted(entry.tasks, 'page')}, "
            f"each for {counted(workers, 'worker')}"
            + (f", in {jobs}" if entry.round == 1 else " (expected)")
        )


def _show_embeddings(
    embeddings: EmbeddingsFile | None, result: Estimate, settings: Settings
) -> None:
    """Print which embeddings a run would use, if it would use any."""
    if embeddings:
        out.print(f"  embeddings: {embeddings.uri}, {embeddings.shape[1]:,} numbers an image")
    elif settings.own_encoder and not settings.embeddings:
        cost = f"{result.aws['embedding']:.2f} dollars on AWS"
        out.print(f"  embeddings: made by the run, with {settings.own_encoder}: {cost}")


def _cost_table(result: Estimate) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for title in ("", "on these pages", "one by one", "saved"):
        table.add_column(title, justify="right" if title else "left")
    tiled, one_by_one = result.tiled, result.one_by_one
    table.add_row("answers", f"{tiled.answers:,.0f}", f"{one_by_one.answers:,.0f}", "")
    table.add_row("pages", f"{tiled.tasks:,}", f"{one_by_one.tasks:,}", "")
    table.add_row(
        "worker hours",
        f"{tiled.hours:,.1f}",
        f"{one_by_one.hours:,.1f}",
        f"{result.saved_hours:.0%}",
    )
    for title, dollars, before in (
        ("Ground Truth's fees", tiled.object_fees, one_by_one.object_fees),
        ("workers' fees", tiled.answer_fees, one_by_one.answer_fees),
        ("wages", tiled.wages, one_by_one.wages),
    ):
        if before:
            saved = 1 - dollars / before
            table.add_row(title, f"${dollars:,.2f}", f"${before:,.2f}", f"{saved:.0%}")
    table.add_row("AWS", f"${sum(result.aws.values()):,.2f}", "", "")
    return table


def describe_assumptions(settings: Settings, assumed: Assumptions, basis: Basis) -> list[str]:
    """Describe every assumption, with its source and the option that changes it."""
    ground_truth = not settings.on_portal
    fee = f"${assumed.object_price:g} a page for Ground Truth (--object-price)"
    return [
        f"{assumed.seconds:.2f} s per image: {basis.seconds_source} (--seconds, --like)",
        f"{assumed.seconds_one_by_one:.2f} s per image one by one: as measured (--seconds-alone)",
        f"{assumed.asked_again.share:.0%} of the images asked again after two answers, "
        f"{assumed.asked_again.further:.0%} of those after each further answer: "
        f"{basis.again_source} (--like)",
        fee if ground_truth else "no service fee: the portal is your own",
        f"${assumed.answer_price:g} a page for each worker (--answer-price), "
        f"${assumed.hour_price:g} an hour (--hour-price)",
        f"{assumed.picture_kilobytes:g} kB a picture (--picture-kb), and AWS's list prices in "
        "us-east-1",
    ]
