"""`tessera estimate`: what a manifest will cost, before it costs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from tessera.archive import find_run
from tessera.checks import count_manifest, read_settings_file
from tessera.screen import json_option, out, print_json, warn
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
from tessera.tiling.settings import Settings, warnings


@click.command("estimate")
@click.argument("manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The settings.  [default: labeling.json beside the manifest]", show_default=False,
)  # fmt: skip
@click.option("--like", "run", metavar="RUN", help="Take speed and rounds from this run's report.")
@click.option("--seconds", type=click.FloatRange(min=0.05), help="Seconds an image on a page.")
@click.option(
    "--seconds-alone", type=click.FloatRange(min=0.05), default=round(page_seconds(1), 2),
    help="Seconds an image where each page has one.",
)  # fmt: skip
@click.option(
    "--object-price", default=OBJECT_PRICE, help="Ground Truth's fee for a page, in dollars."
)
@click.option("--answer-price", default=0.0, help="A worker's price for a page, in dollars.")
@click.option("--hour-price", default=0.0, help="A worker's hour, in dollars.")
@click.option("--picture-kb", default=100.0, help="Kilobytes of a picture.")
@json_option("Print the estimate as JSON.")
@click.pass_obj
def estimate_command(
    place: Any,
    manifest: Path,
    settings_path: Path | None,
    run: str | None,
    seconds: float | None,
    seconds_alone: float,
    object_price: float,
    answer_price: float,
    hour_price: float,
    picture_kb: float,
    as_json: bool,
) -> None:
    """Say what MANIFEST will cost: answers, hours of work, fees; and what one by one would.

    Nothing is uploaded and nobody is asked.
    """
    settings = read_settings_file(settings_path or manifest.with_name("labeling.json"))
    counted = count_manifest(manifest, settings)
    speed = f"a page of {settings.images_per_task}, as the post measured"
    again, why = asked_again(settings.gain), f"public crowds at a gain of {settings.gain:g}"
    if run:
        report = find_run(place.cloud, run).report
        measured = (report.get("time") or {}).get("seconds_per_image")
        if measured and not seconds:
            seconds, speed = measured, f"the run {report['run']}"
        if asked := _again_in(report):
            again, why = asked, f"the run {report['run']}"
    elif seconds:
        speed = "as you say"
    assumed = Assumptions(
        seconds=seconds or page_seconds(settings.images_per_task),
        seconds_one_by_one=seconds_alone,
        asked_again=again,
        object_price=object_price,
        answer_price=answer_price,
        hour_price=hour_price,
        picture_kilobytes=picture_kb,
    )
    result = estimate(
        images=counted.images,
        tasks=sum(shard.tasks for shard in counted.shards),
        shards=len(counted.shards),
        settings=settings,
        assumed=assumed,
    )
    if as_json:
        print_json(
            {
                "manifest": str(manifest),
                "counted": msgspec.to_builtins(counted),
                "estimate": msgspec.to_builtins(result),
                "assumed": msgspec.to_builtins(assumed),
                "warnings": warnings(settings),
            }
        )
        return
    show(counted, result, settings, assumed, speed=speed, why=why)
    warn(warnings(settings))


def _again_in(report: dict[str, Any]) -> AskedAgain | None:
    """The shares of images asked again in an earlier run; None if it had no second round."""
    images = [float(entry["images"]) for entry in report.get("rounds") or []]
    if len(images) < 2 or not images[0]:
        return None
    further = images[2] / images[1] if len(images) > 2 and images[1] else 0.64
    return AskedAgain(images[1] / images[0], further)


def show(
    counted: Summary,
    result: Estimate,
    settings: Settings,
    assumed: Assumptions,
    *,
    speed: str,
    why: str,
) -> None:
    """The estimate for a person: what was counted, what follows, and what was believed."""
    others = {
        "labeled already": counted.labeled,
        "repeats": counted.repeats,
        "control images": counted.gold,
        "rejected": counted.rejected,
    }
    out.print(
        f"[bold]{_some(counted.lines, 'line')}[/]: {_some(counted.images, 'image')} to ask"
        + "".join(f", {number:,} {what}" for what, number in others.items() if number)
    )
    for entry in result.rounds:
        workers = settings.answers_per_image if entry.round == 1 else 1
        out.print(
            f"  round {entry.round}: {entry.images:,.0f} images on {entry.tasks:,} pages, "
            f"each for {_some(workers, 'worker')}"
            + (f", in {_some(len(counted.shards), 'job')}" if entry.round == 1 else " (expected)")
        )
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for title in ("", "this way", "one by one", "saved"):
        table.add_column(title, justify="left" if not title else "right")
    tiled, one_by_one = result.tiled, result.one_by_one
    table.add_row("answers", f"{tiled.answers:,.0f}", f"{one_by_one.answers:,.0f}", "")
    table.add_row("pages", f"{tiled.tasks:,}", f"{one_by_one.tasks:,}", "")
    table.add_row(
        "worker hours",
        f"{tiled.hours:,.1f}",
        f"{one_by_one.hours:,.1f}",
        f"{result.saved_hours:.0%}",
    )
    for title, now, before in (
        ("service fees", tiled.object_fees, one_by_one.object_fees),
        ("worker prices", tiled.answer_fees, one_by_one.answer_fees),
        ("wages", tiled.wages, one_by_one.wages),
    ):
        if before:
            table.add_row(title, f"${now:,.2f}", f"${before:,.2f}", f"{1 - now / before:.0%}")
    aws = sum(result.aws.values())
    table.add_row("AWS itself", f"${aws:,.2f}", "", "")
    out.print()
    out.print(table)
    out.print()
    out.print("[bold]Assumed[/]")
    for line in assumptions(settings, assumed, speed=speed, why=why):
        out.print(f"  {line}", soft_wrap=True)


def assumptions(settings: Settings, assumed: Assumptions, *, speed: str, why: str) -> list[str]:
    """Every assumption, with where it comes from and how to say otherwise."""
    ground_truth = settings.workforce != "portal"
    fee = f"${assumed.object_price:g} a page to Ground Truth (--object-price)"
    return [
        f"{assumed.seconds:.2f} s an image: {speed} (--seconds, --like)",
        f"{assumed.seconds_one_by_one:.2f} s an image one by one: the post (--seconds-alone)",
        f"{assumed.asked_again.share:.0%} of the images asked again after two answers, "
        f"{assumed.asked_again.further:.0%} of those after each more: {why} (--like)",
        fee if ground_truth else "no service fee: the portal is your own",
        f"${assumed.answer_price:g} a page to each worker (--answer-price), "
        f"${assumed.hour_price:g} an hour (--hour-price)",
        f"{assumed.picture_kilobytes:g} kB a picture (--picture-kb); AWS at the list prices of "
        "us-east-1",
    ]


def _some(number: int, word: str) -> str:
    """A number and its word.

    >>> _some(1, "job"), _some(2, "job")
    ('1 job', '2 jobs')
    """
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
