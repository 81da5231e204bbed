"""`tessera completion`: the shell completes commands, options and names of runs."""

from __future__ import annotations

from typing import Any

import click

from tessera.screen import json_option, print_json

WHERE = {
    "bash": 'eval "$(tessera completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(tessera completion zsh)"   # in ~/.zshrc',
    "fish": "tessera completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command(epilog="\b\n" + "\n".join(WHERE.values()))
@click.argument("shell", type=click.Choice(list(WHERE)))
@json_option("Print the shell and its script as JSON.")
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that makes a shell complete commands, options and names of runs."""
    from click.shell_completion import get_completion_class

    made: Any = get_completion_class(shell)
    root = context.find_root()
    script = made(root.command, {}, "tessera", "_TESSERA_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)


def run_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names of runs that begin so; none if the stack cannot be asked."""
    from tessera.runs.folder import list_runs
    from tessera.stack.cloud import Cloud
    from tessera.stack.local_stack import LocalStack

    values = context.find_root().params
    try:
        cloud = (
            Cloud(region=values.get("region"), stack_name=values["name"])
            if values.get("profile")
            else LocalStack(values["home"], values["port"]).cloud
        )
        names = [folder.name for folder, _ in list_runs(cloud)]
    except Exception:  # a shell that waits for names must get an answer, whatever fails
        return []
    return [name for name in names if name.startswith(incomplete)]
