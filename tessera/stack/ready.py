"""Start the local stack and deploy to it, with the steps on the screen."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from rich.console import Console

from tessera.screen import waiting, warn
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT, LocalStack


def start_and_deploy(stack: LocalStack, console: Console) -> Cloud:
    """Start the local stack, deploy to it, and return what is deployed."""
    began = time.monotonic()
    warn([stack.cloud.trouble] if stack.cloud.trouble else [])
    with waiting("Starting the embedded AWS", console):
        stack.start()
    with waiting("Deploying template.yaml with sam deploy", console):
        deployed = stack.deploy()
    console.print(
        f"[bold]Stack[/]    {stack.endpoint}, {'deployed' if deployed else 'deployed before'} "
        f"[dim]({time.monotonic() - began:.1f} s; {stack.cloud.command('down')} stops it)[/]"
    )
    return stack.cloud


def start_embedded(stack: LocalStack, name: str) -> tuple[Cloud, dict[str, str]]:
    """Start an embedded AWS that enforces IAM, for the SAM CLI to deploy to from here.

    Return the stack of this name there, and the parameters of its template.
    """
    stack.start(auth=True)
    os.environ |= stack.variables  # of the SAM CLI, which takes its endpoint from there
    parameters = {"AwsEndpointUrl": stack.endpoint, "UiDirectory": str(ROOT / "ui")}
    return replace(stack.cloud, stack_name=name), parameters
