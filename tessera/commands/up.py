"""`tessera up`: start the stack on this machine."""

from __future__ import annotations

import socket
from dataclasses import replace

import click

from tessera.runs.resumption import resume_runs
from tessera.screen import console_for, json_option, out, print_json, waiting
from tessera.stack import samples
from tessera.stack.guard import address_in, own_container_networks
from tessera.stack.local_stack import LocalStack
from tessera.stack.ready import start_and_deploy
from tessera.stack.target import Target


def answers(host: str, port: int) -> bool:
    """Return whether something listens at an address."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return bool(host) and probe.connect_ex((host, port)) == 0


def opened(stack: LocalStack) -> str:
    """Say where containers reach the stack, and what they reach."""
    networks = own_container_networks()
    again = f"{stack.cloud.command('down')}; {stack.cloud.command('up --open-to-containers')}"
    if not networks:
        return f"nobody: this machine has no network of containers. Start Docker, and then: {again}"
    if not all(answers(address_in(network), stack.port) for network in networks):
        return f"nobody: the stack was running before, for this machine alone. Open it: {again}"
    places = [f"{address_in(network)}:{stack.port} ({network})" for network in networks]
    return (
        f"containers of this machine, at {', '.join(places)}: they reach every service with the "
        "stack's key; other machines get no connection"
    )


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
    stack = replace(target.local, open_to_containers=open_to_containers)
    cloud = start_and_deploy(stack, console_for(as_json))
    if open_to_containers:
        console_for(as_json).print(f"[bold]Open to[/]  {opened(stack)}", soft_wrap=True)
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
