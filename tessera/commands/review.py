"""`tessera review`: reviewers decide pictures of a run, and their decisions are final.

A picture here is what the run asks about: a whole one with its label or its labels, or a box on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tessera.commands.completion import run_names
from tessera.exits import Refused
from tessera.number_types import Amount
from tessera.portal.reviews import MAX_PICTURES, close_review, list_entries, open_review
from tessera.portal.rights import REVIEWERS, may_review
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.review import (
    Selection,
    finish_review,
    left_open,
    read_decided,
    review_of,
    select_pictures,
)
from tessera.runs.worker_names import worker_names
from tessera.screen import counted, json_option, out, print_json, waiting, warn

MAX_NAMED = 3
"""Files that are named in a warning: enough to find out what they have in common."""


@click.command("review")
@click.argument("run", required=False, shell_complete=run_names)
@click.option("--label", help="Review all pictures of this label.")
@click.option(
    "--share", type=Amount(0, 1, min_open=True),
    help="Review a random share of the labeled pictures, such as 0.05.",
)  # fmt: skip
@click.option(
    "--most", type=click.IntRange(1, MAX_PICTURES), default=MAX_PICTURES,
    help="Maximum number of pictures.",
)  # fmt: skip
@click.option("--team", help="Reviewers of this team only.  [default: the run's]")
@click.option("--hide-names", is_flag=True, help="Show numbers for workers, no addresses.")
@click.option("--finish", is_flag=True, help="End the review, and write the labels anew.")
@click.option(
    "--teach", is_flag=True,
    help="With --finish: weigh workers by the decisions, as by gold images.",
)  # fmt: skip
@json_option("Print what came of it as JSON.")
@click.pass_context
def review_command(
    context: click.Context,
    run: str | None,
    label: str | None,
    share: float | None,
    most: int,
    team: str | None,
    hide_names: bool,
    finish: bool,
    teach: bool,
    as_json: bool,
) -> None:
    """Have reviewers decide pictures of a finished run, with the crowd's answers beside them.

    RUN is the name of a run or the beginning of it; the default is the newest run. Reviewers are
    the people in the team `reviewers`. Without --label or --share they get what stays unsure, and
    gold images whose label workers contradict. Nothing is written over: --finish writes the labels
    with the decisions into the folder review/ of the run, which export takes from then on.
    Decisions are kept for later reviews.
    """
    folder = find_run(context.obj.cloud, run)
    if folder.settings.is_custom:
        raise Refused(
            f"{folder.name} cannot be reviewed: what workers answer on a page of the project's own "
            "is no label. What they answered: " + folder.cloud.command(f"fetch {folder.name}")
        )
    if teach and folder.settings.is_multi:
        raise click.UsageError(
            "--teach is for one label a picture: where there are several, no known ones weigh "
            "workers. Leave it out."
        )
    if finish:
        _finish(folder, teach, as_json)
        return
    if label is not None and share is not None:
        raise click.UsageError("Give --label or --share: a review is of one or the other.")
    if label is not None and label not in folder.settings.classes:
        raise click.UsageError(
            f"{label!r} is none of the run's labels: {', '.join(folder.settings.classes)}."
        )
    if teach:
        raise click.UsageError("--teach goes with --finish.")
    _open(folder, Selection(label, share), most, team, hide_names, as_json)


def _open(
    folder: RunFolder,
    selection: Selection,
    most: int,
    team: str | None,
    hidden: bool,
    as_json: bool,
) -> None:
    """Choose the pictures and show the review to its reviewers."""
    cloud = folder.cloud
    workers = [entry["worker"] for entry in folder.report["workers"]]
    with waiting("Choosing the pictures"):
        names = worker_names(folder, workers, hidden=hidden)
        pictures, total = select_pictures(folder, selection, names, most=most)
    if not pictures:
        raise Refused(
            "There is nothing to review: no picture is like this. A random share of all: "
            + cloud.command(f"review {folder.name} --share 0.05")
        )
    if team is None:
        team = folder.settings.team or ""
    open_review(cloud.ports, review_of(folder, pictures, team))
    facts: dict[str, Any] = {
        "run": folder.name,
        "pictures": len(pictures),
        "left_out": total - len(pictures),
        "team": team,
        "reviewers": _reviewers(folder, team),
        "address": f"{cloud.people_url}#review/{folder.name}",
        "broken": read_decided(folder).broken,
    }
    _warn_of_broken(facts["broken"])
    if as_json:
        print_json(facts)
    else:
        _tell(folder, facts)


def _tell(folder: RunFolder, facts: dict[str, Any]) -> None:
    """Print what reviewers do now, and what comes after."""
    command = folder.cloud.command
    pictures = counted(facts["pictures"], _noun(folder))
    out.print(f"[bold]Review[/]  {pictures}: {facts['address']}", soft_wrap=True)
    if more := facts["left_out"]:
        warn([f"{counted(more, _noun(folder))} more would be like this; the least sure come first"])
    if not facts["reviewers"]:
        teams = f"--team {REVIEWERS}" + (f" --team {facts['team']}" if facts["team"] else "")
        warn([f"Nobody is a reviewer yet: {command(f'workers add ann@example.org {teams}')}"])
    out.print(f"[bold]Finish[/]  {command(f'review {folder.name} --finish')}", soft_wrap=True)


def _noun(folder: RunFolder) -> str:
    """Return what reviewers decide on, in a word."""
    return "box" if folder.settings.has_boxes else "picture"


def _warn_of_broken(uris: Sequence[str]) -> None:
    """Name the files among the decisions that are none."""
    if uris:
        more = f" and {len(uris) - MAX_NAMED} more" if len(uris) > MAX_NAMED else ""
        names = ", ".join(uris[:MAX_NAMED])
        warn([
            f"{counted(len(uris), 'file')} among the decisions cannot be read as one, so the "
            f"picture of each is undecided: {names}{more}"
        ])  # fmt: skip


def _reviewers(folder: RunFolder, team: str) -> list[str]:
    """Return who may decide the review."""
    return [user.email for user in folder.cloud.users.list() if may_review(user.groups, team)]


def _finish(folder: RunFolder, teach: bool, as_json: bool) -> None:
    """Write the labels with what was decided, and end the review."""
    cloud = folder.cloud
    latest = read_decided(folder)
    _warn_of_broken(latest.broken)
    if not latest.decisions:
        raise Refused(
            f"Nothing is decided yet. Reviewers do so at {cloud.people_url}#review/{folder.name}"
            if any(entry.run == folder.name for entry in list_entries(cloud.ports))
            else f"There is no review of this run: {cloud.command(f'review {folder.name}')}"
        )
    with waiting("Writing the labels"):
        decisions, figures = finish_review(folder, teach=teach)
    close_review(cloud.ports, folder.name)
    counts = figures["images"]
    facts: dict[str, Any] = {
        "run": folder.name,
        "decided": len(decisions.decisions),
        "training": counts["training"],
        "unlabeled": counts["unlabeled"],
        "left_open": left_open(folder, decisions),
        "training_manifest": folder.uri("review/training.manifest"),
        "broken": latest.broken,
    }
    if as_json:
        print_json(facts)
        return
    if still := facts["left_open"]:
        lines = ", ".join(str(index + 1) for index in still[:MAX_NAMED])
        lines += " and others" if len(still) > MAX_NAMED else ""
        warn([
            f"{counted(len(still), 'picture')} without labels had only some decided, and stays "
            f"unlabeled until all of them are: line {lines}"
        ])  # fmt: skip
    out.print(
        f"[bold]Reviewed[/]  {counted(facts['decided'], _noun(folder))} decided; "
        f"{counted(facts['training'], 'line')} in {facts['training_manifest']}",
        soft_wrap=True,
    )
    settings = folder.settings
    form = "coco" if settings.has_boxes else "csv" if settings.is_multi else "imagefolder"
    out.print(
        f"[bold]Export[/]    {cloud.command(f'export {folder.name} --to {form}')}", soft_wrap=True
    )
