"""`tessera completion`: let the shell complete commands, options and names of runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tessera.runs.folder import list_runs
from tessera.screen import json_option, print_json
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LocalStack

INSTRUCTIONS = {
    "bash": 'eval "$(tessera completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(tessera completion zsh)"   # in ~/.zshrc',
    "fish": "tessera completion fish | source   # in ~/.config/fish/config.fish",
}
"""Line that makes each shell run its script, and the file to put it in."""


@click.command(epilog="\b\n" + "\n".join(INSTRUCTIONS.values()))
@click.argument("shell", type=click.Choice(list(INSTRUCTIONS)))
@json_option("Print the shell and its script as JSON.")
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print a script with which the shell completes commands, options and names of runs."""
    shell_complete = get_completion_class(shell)
    assert shell_complete is not None  # click has one for each shell of the choice
    program = context.find_root().command
    script = shell_complete(program, {}, "tessera", "_TESSERA_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)


def run_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of runs that begin so, or none if the stack does not answer."""
    values = context.find_root().params
    try:
        if values.get("profile"):
            cloud = Cloud(region=values.get("region"), stack_name=values["name"])
        else:
            local = LocalStack(values["home"], values["port"])
            if not local.answers():  # boto3 would try for seconds, and a shell waits
                return []
            cloud = local.cloud
        names = [folder.name for folder, _ in list_runs(cloud)]
    except Exception:  # a shell that waits for names must get an answer, whatever fails
        return []
    return [name for name in names if name.startswith(incomplete)]
