"""`tessera up`: start the stack on this machine."""

from __future__ import annotations

from dataclasses import replace

import click

from tessera.runs.resumption import resume_runs
from tessera.screen import console_for, json_option, out, print_json, waiting
from tessera.stack import samples
from tessera.stack.guard import own_container_networks
from tessera.stack.ready import start_and_deploy
from tessera.stack.target import Target


@click.command()
@click.option(
    "--open-to-containers",
    is_flag=True,
    help="Answer this machine's containers, too; other machines stay shut out.",
)
@json_option("Print the addresses as JSON.")
@click.pass_obj
def up(target: Target, open_to_containers: bool, as_json: bool) -> None:
    """Start the local stack and deploy Tessera to it."""
    stack = replace(target.local, host="0.0.0.0") if open_to_containers else target.local
    cloud = start_and_deploy(stack, console_for(as_json))
    if open_to_containers:
        networks = ", ".join(map(str, own_container_networks())) or "none that can be seen"
        console_for(as_json).print(
            f"[bold]Open to[/]  containers of this machine ({networks}), which reach everything "
            "with its key; other machines get nothing",
            soft_wrap=True,
        )
    with waiting("Looking for runs that were cut off", console_for(as_json)):
        resumed = list(resume_runs(cloud))
    for run in resumed:
        console_for(as_json).print(f"[bold]Run[/]      {run}", soft_wrap=True)
    samples.load(cloud.client("s3"), cloud.client("dynamodb"))
    addresses = {name: cloud.outputs[name] for name in ("Inbox", "Labels", "StateMachineArn")}
    addresses |= {
        "Portal": cloud.portal_url,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(stack.credentials_file),
    }
    if as_json:
        print_json(addresses | {"Resumed": [run.run for run in resumed if not run.remedy]})
        return
    for name, address in addresses.items():
        out.print(f"[bold]{name:<28}[/]  {address}", soft_wrap=True)
