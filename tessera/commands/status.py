"""`tessera status`: what is deployed, whether it answers, and which runs are active."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from tessera.commands.runs import newest
from tessera.exits import Exit
from tessera.screen import json_option, out, print_json
from tessera.stack.target import Target


@click.command()
@json_option("Print the status as JSON.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show what is deployed, where workers sign in, and which runs are active.

    The exit code is 3 if Tessera is not deployed.
    """
    facts = read_status(context.obj)
    if as_json:
        print_json(facts)
    else:
        _show(facts, context.obj)
    if not facts["deployed"]:
        context.exit(Exit.NOT_DEPLOYED)


def read_status(target: Target) -> dict[str, Any]:
    """Return what is deployed and active there, as plain values."""
    cloud = target.remote or target.local.cloud
    up = bool(target.remote) or target.local.answers()
    facts = {
        "where": "an embedded AWS" if cloud.endpoint else "AWS",
        "endpoint": cloud.endpoint,
        "answers": up,
        "deployed": False,
    }
    outputs = cloud.find_outputs() if up else {}
    if not outputs:
        return facts
    runs = newest(cloud, 20)
    return facts | {
        "deployed": True,
        "stack": cloud.stack_name,
        "inbox": outputs["Inbox"],
        "labels": outputs["Labels"],
        "portal": cloud.people_url,
        "runs": dict(Counter(run.status.lower() for run in runs)),
        "running": [run.run or run.manifest for run in runs if run.status == "RUNNING"],
    }


def _show(facts: dict[str, Any], target: Target) -> None:
    """Print the status for a person, with what to do next."""
    address = f" at {facts['endpoint']}" if facts["endpoint"] else ""
    if not facts["answers"]:
        out.print(target.local.absence())
        return
    cloud = target.remote or target.local.cloud
    if not facts["deployed"]:
        command = cloud.command("up" if facts["endpoint"] else "deploy")
        place = f"{facts['where']}{address}"
        out.print(f"Tessera is not deployed on {place}. Deploy it: {command}", soft_wrap=True)
        return
    runs = (f"{count} {status}" for status, count in facts["runs"].items())
    rows = {
        "Stack": f"{facts['stack']} on {facts['where']}{address}",
        "Inbox": facts["inbox"],
        "Labels": facts["labels"],
        "Portal": facts["portal"],
        "Runs": ", ".join(runs) or "none yet",
    }
    for title, value in rows.items():
        out.print(f"[bold]{title:<8}[/] {value}", soft_wrap=True)
    for run in facts["running"]:
        out.print(f"         running: {run}", soft_wrap=True)
