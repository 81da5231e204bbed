"""`tessera watch`: show a run as it goes, on a terminal with a bar, elsewhere line by line."""

from __future__ import annotations

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit
from tessera.runs.display import show_until_ended, status_line
from tessera.runs.executions import ENDED, Ending, read_ending
from tessera.runs.failures import next_step
from tessera.runs.folder import find_run
from tessera.runs.status import RunObserver, RunStatus
from tessera.screen import json_option, out, print_json, warn


@click.command()
@click.argument("run", required=False, shell_complete=run_names)
@click.option("--once", is_flag=True, help="Print the current status and exit.")
@json_option("Print one JSON object a line, whenever something changes.")
@click.pass_context
def watch(context: click.Context, run: str | None, once: bool, as_json: bool) -> None:
    """Show the progress of a run until it ends.

    Ctrl-C stops watching; the run continues. RUN is the name of a run or the beginning of it; the
    default is the newest run.
    """
    cloud = context.obj.cloud
    folder = find_run(cloud, run)
    observer = RunObserver(cloud, folder.record["execution"], folder)
    notices = folder.notices
    warn(notices)
    if once:
        status = observer.read()
        if as_json:
            print_json(status.facts())
        else:
            out.print(f"{status.run}: {status.status}, {status_line(status)}")
            if status.status in ENDED:
                _explain(observer, read_ending(cloud, observer.execution))
        return
    last = show_until_ended(observer, out, as_json=as_json)
    # Once more, because a run that was still being grouped had none.
    warn(notice for notice in find_run(cloud, last.run).notices if notice not in notices)
    context.exit(_conclude(observer, last, quiet=as_json))


def _conclude(observer: RunObserver, last: RunStatus, *, quiet: bool) -> Exit:
    """Print how the run ended, and why if it failed; return the exit code for that."""
    end = read_ending(observer.cloud, observer.execution)
    if not quiet:
        summary = f"[bold]{last.run}[/] ended {last.status}"
        if last.status == "SUCCEEDED":
            summary += (
                f": {end.output.get('labeled', 0):,} of {end.output.get('images', 0):,} labeled"
            )
        out.print(summary)
        _explain(observer, end)
    if last.status != "SUCCEEDED":
        return Exit.FAILED
    return Exit.PARTIAL if end.output.get("partial") else Exit.OK


def _explain(observer: RunObserver, end: Ending) -> None:
    """Print why a run failed, and what to do; nothing if it did not."""
    if end.status == "SUCCEEDED":
        return
    if end.error:
        out.print(f"[yellow]{end.error}[/]: {end.cause}")
    out.print(next_step(end, observer.cloud))
