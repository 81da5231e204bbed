"""`tessera status`: what is deployed, whether it answers, and what goes on there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from tessera.commands.runs import newest
from tessera.exits import Exit
from tessera.screen import json_option, out, print_json
from tessera.stack.target import Target


@click.command()
@json_option("Print the state as JSON.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say what is deployed, where workers sign in, and which runs go on.

    The exit code is 3 if nothing is deployed there.
    """
    target: Target = context.obj
    found = state(target)
    if as_json:
        print_json(found)
    else:
        show(found)
    if not found["deployed"]:
        context.exit(Exit.NOT_DEPLOYED)


def state(target: Target) -> dict[str, Any]:
    """What is there, as plain values."""
    where = "AWS" if target.remote and not target.remote.endpoint else "an embedded AWS"
    up = bool(target.remote) or target.local.is_up()
    found: dict[str, Any] = {
        "where": where,
        "endpoint": (target.remote or target.local.cloud).endpoint,
        "answers": up,
        "deployed": False,
    }
    outputs = (target.remote or target.local.cloud).find_outputs() if up else {}
    if not outputs:
        return found
    cloud = target.cloud
    entries = newest(cloud, 20)
    return found | {
        "deployed": True,
        "stack": cloud.stack_name,
        "inbox": outputs["Inbox"],
        "labels": outputs["Labels"],
        "portal": cloud.portal_url,
        "runs": dict(Counter(entry.status.lower() for entry in entries)),
        "running": [entry.run or entry.manifest for entry in entries if entry.status == "RUNNING"],
    }


def show(found: dict[str, Any]) -> None:
    """The state for a person, with what to do next."""
    at = f" at {found['endpoint']}" if found["endpoint"] else ""
    if not found["answers"]:
        out.print(f"Nothing answers{at}. Start the local stack: tessera up")
        return
    if not found["deployed"]:
        do = "tessera up" if found["endpoint"] else "tessera deploy"
        out.print(f"{found['where']}{at} answers; Tessera is not deployed there. Do: {do}")
        return
    rows = {
        "Stack": f"{found['stack']} on {found['where']}{at}",
        "Inbox": found["inbox"],
        "Labels": found["labels"],
        "Portal": found["portal"],
        "Runs": ", ".join(f"{count} {name}" for name, count in found["runs"].items()) or "none yet",
    }
    for title, value in rows.items():
        out.print(f"[bold]{title:<8}[/] {value}", soft_wrap=True)
    for run in found["running"]:
        out.print(f"         running: {run}", soft_wrap=True)
