"""The portal from the operator's side: its people, and a job's index put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import ClientError
from rich.table import Table as Grid

from tessera.screen import json_option, out, print_json
from tessera.stack.cloud import Cloud

if TYPE_CHECKING:
    from tessera.tiling.settings import Settings


def cloud_of(where: Any) -> Cloud:
    """The deployed stack that a command works on: the local one's, or what it was given."""
    return where if isinstance(where, Cloud) else where.cloud


def too_few(cloud: Cloud, settings: Settings) -> tuple[str, ...]:
    """A warning, if the portal has fewer accounts than people whom an image may be asked of.

    Nobody answers an image twice, so a run would wait for somebody new until its jobs expire.
    """
    if settings.workforce != "portal" or "WorkerPoolId" not in cloud.outputs:
        return ()
    most = settings.max_answers
    pool, page = cloud.outputs["WorkerPoolId"], min(most, 60)  # Cognito lists no more at once
    try:
        found = cloud.client("cognito-idp").list_users(UserPoolId=pool, Limit=page)
    except ClientError:  # who may drop need not be allowed to see who works
        return ()
    there = len(found["Users"])
    if there == page:
        return ()
    return (
        f"the portal has {there or 'no'} account{'' if there == 1 else 's'}, and an image may be "
        f"asked of {most} people (max_answers), nobody twice: without another the run waits. "
        "Make one: tessera workers add EMAIL. Or lower answers_per_image and max_answers",
    )


@click.group()
@click.pass_context
def workers(context: click.Context) -> None:
    """The people who may sign in to the portal."""


@workers.command("add")
@click.argument("emails", nargs=-1, required=True)
@click.option("--team", "teams", multiple=True, help="Team to join; may be given several times.")
@click.option("--requester", is_flag=True, help="May see progress and every task.")
@click.option("--invite/--no-invite", default=None, help="Let Cognito mail the password.")
@json_option("Print the accounts and their passwords as JSON.")
@click.pass_obj
def add_workers(
    where: Any,
    emails: tuple[str, ...],
    teams: tuple[str, ...],
    requester: bool,
    invite: bool | None,
    as_json: bool,
) -> None:
    """Make accounts; each chooses its own password at the first sign-in.

    The temporary password is printed unless Cognito mails it, as it does by default on AWS.
    """
    cloud = cloud_of(where)
    mailed = cloud.endpoint is None if invite is None else invite
    groups = [*teams, *(["requesters"] if requester else [])]
    made = []
    for email in emails:
        password = cloud.users.create(email, invite=mailed)
        new, shown = password is not None, None if mailed else password
        made.append({"email": email, "new": new, "password": shown, "teams": groups})
        if not new:
            said = "is there already."
        else:
            said = f"signs in with [bold]{shown}[/]" if shown else "was mailed a password"
        if not as_json:
            out.print(f"[bold]{email}[/] {said}")
        for group in groups:
            cloud.users.add_to_group(email, group)
    if as_json:
        print_json({"portal": cloud.portal_url, "workers": made})
    else:
        out.print(f"The portal: {cloud.portal_url}")


@workers.command("list")
@json_option("Print the accounts as JSON.")
@click.pass_obj
def list_workers(where: Any, as_json: bool) -> None:
    """Show the accounts, their teams, and under which name their answers are kept."""
    users = sorted(cloud_of(where).users.list())
    if as_json:
        print_json([user._asdict() for user in users])
        return
    grid = Grid("Email", "Worker", "Status", "Teams", "Since")
    for user in users:
        since = f"{user.since:%Y-%m-%d}"
        status = user.status.lower().replace("_", " ")
        grid.add_row(user.email, user.worker, status, ", ".join(user.groups), since)
    out.print(grid)


@workers.command("remove")
@click.argument("email")
@json_option("Print what became of its pages as JSON.")
@click.pass_obj
def remove_worker(where: Any, email: str, as_json: bool) -> None:
    """Remove an account: at once, pages it held go to others, and its answers stay."""
    from tessera.portal.leases import block_worker

    cloud = cloud_of(where)
    worker = cloud.users.worker(email)
    if worker is None:
        raise click.ClickException(f"There is no worker {email}.")
    freed = block_worker(cloud.ports, worker)
    cloud.users.delete(email)
    if as_json:
        print_json({"email": email, "worker": worker, "pages_back": freed})
    else:
        out.print(f"[bold]{email}[/] is gone; {freed} pages went back. The answers stay.")


@workers.command("reset")
@click.argument("email")
@json_option("Print the password as JSON.")
@click.pass_obj
def reset_worker(where: Any, email: str, as_json: bool) -> None:
    """Give an account a new temporary password, and sign it out everywhere."""
    users = cloud_of(where).users
    if users.worker(email) is None:
        raise click.ClickException(f"There is no worker {email}.")
    password = users.reset_password(email)
    if as_json:
        print_json({"email": email, "password": password})
    else:
        out.print(f"[bold]{email}[/] signs in with [bold]{password}[/]")
