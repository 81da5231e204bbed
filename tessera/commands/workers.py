"""`tessera workers`: accounts of the people who label."""

from __future__ import annotations

import time

import click

from tessera.portal.leases import block_worker
from tessera.portal.qualification import begin_anew
from tessera.portal.rights import REQUESTERS
from tessera.portal.sessions import end_sessions
from tessera.runs.forgetting import account_of, forget, forget_standings
from tessera.screen import Row, aside, counted, json_option, out, print_json, print_rows
from tessera.stack.accounts import EMAIL, add_people, check_emails
from tessera.stack.cloud import Cloud
from tessera.stack.target import Target
from tessera.tiling.onboarding.qualification import records_uri


@click.group()
def workers() -> None:
    """Add, list and remove the people who may sign in to the portal."""


@workers.command("add", short_help="Make accounts, each with a temporary password.")
@click.argument("emails", nargs=-1, required=True)
@click.option("--team", "teams", multiple=True, help="Team to join; repeatable.")
@click.option("--requester", is_flag=True, help="Let them see progress and every task.")
@click.option(
    "--invite/--no-invite", default=None,
    help="Let Cognito mail the password.  [default: on AWS]", show_default=False,
)  # fmt: skip
@json_option("Print the accounts and their passwords as JSON.")
@click.pass_obj
def add_workers(
    target: Target,
    /,
    emails: tuple[str, ...],
    teams: tuple[str, ...],
    requester: bool,
    invite: bool | None,
    as_json: bool,
) -> None:
    """Make accounts; each person chooses a password at the first sign-in.

    The temporary password is printed unless Cognito mails it.
    """
    check_emails(emails)
    cloud = target.cloud
    groups = [*teams, *([REQUESTERS] if requester else [])]
    accounts = add_people(cloud, emails, groups, invite=invite, quiet=as_json)
    if as_json:
        print_json({"portal": cloud.people_url, "workers": accounts})
    else:
        out.print(f"Portal: {cloud.people_url}")


def _known(cloud: Cloud, email: str, worker: str | None) -> str:
    """Return the name of a worker that was looked up by email; ClickException if there is none."""
    if worker is None:
        raise click.ClickException(
            f"There is no worker {email}. List them: {cloud.command('workers list')}"
        )
    return worker


@workers.command("list", short_help="List the accounts with their teams.")
@json_option("Print the accounts as JSON.")
@click.pass_obj
def list_workers(target: Target, /, as_json: bool) -> None:
    """List the accounts with their teams, and the name that is on their answers."""
    cloud = target.cloud
    users = sorted(cloud.users.list())
    if as_json:
        print_json([user._asdict() for user in users])
        return
    if not users:
        add = cloud.command("workers add EMAIL")
        aside.print(f"Nobody has an account yet. Make one: {add}")
        return
    rows = [
        Row((
            user.email,
            user.worker,
            user.status.lower().replace("_", " "),
            ", ".join(user.groups),
            f"{user.since:%Y-%m-%d}",
        ))
        for user in users
    ]  # fmt: skip
    print_rows(("email", "worker", "status", "teams", "since"), rows)


@workers.command("remove", short_help="Remove an account at once and keep its answers.")
@click.argument("email")
@json_option("Print as JSON how many pages went back.")
@click.pass_obj
def remove_worker(target: Target, /, email: str, as_json: bool) -> None:
    """Remove an account at once; its open pages go to others, its answers are kept."""
    cloud = target.cloud
    worker = _known(cloud, email, cloud.users.worker(email))
    freed = block_worker(cloud.ports, worker)
    cloud.users.delete(email)
    if as_json:
        print_json({"email": email, "worker": worker, "pages_back": freed})
    else:
        out.print(
            f"[bold]{email}[/] is removed; {counted(freed, 'open page')} went back. "
            "The answers are kept.\nDelete what projects remember of them, if that is wanted: "
            f"{cloud.command(f'workers forget {worker}')}"
        )


@workers.command("reset", short_help="Give an account a new temporary password.")
@click.argument("email")
@click.option("--authenticator", is_flag=True, help="Forget their authenticator app, too.")
@json_option("Print the password as JSON.")
@click.pass_obj
def reset_worker(target: Target, /, email: str, authenticator: bool, as_json: bool) -> None:
    """Give an account a new temporary password, and sign it out everywhere."""
    cloud = target.cloud
    worker = _known(cloud, email, cloud.users.worker(email))
    if authenticator:
        cloud.users.forget_authenticator(email)
    password = cloud.users.reset_password(email)
    # Cognito ends sign-ins, and not the tokens that they gave.
    moment = end_sessions(cloud.ports, worker)
    # A fraction of a second, before anybody knows the password: else it may be used too early.
    time.sleep(max(0.0, moment - time.time()))
    if as_json:
        print_json({"email": email, "password": password})
    else:
        out.print(f"[bold]{email}[/] signs in with the temporary password [bold]{password}[/]")


@workers.command("requalify", short_help="Let a worker begin a qualification anew.")
@click.argument("worker")
@click.option("--project", required=True, help="Folder of the project's manifests.")
@json_option("Print as JSON whether there was anything to reset.")
@click.pass_obj
def requalify_worker(target: Target, /, worker: str, project: str, as_json: bool) -> None:
    """Let WORKER, by email or the name on answers, begin a project's qualification anew.

    Who failed twice may try twice more; who passed must pass again before the next page.
    """
    cloud = target.cloud
    by_email = EMAIL.fullmatch(worker)
    name = _known(cloud, worker, cloud.users.worker(worker)) if by_email else account_of(worker)
    records = records_uri(f"s3://{cloud.labels_bucket}/", project.strip("/"))
    had_tried = begin_anew(cloud.ports, records, name)
    if as_json:
        print_json({"worker": name, "project": project, "reset": had_tried})
    elif had_tried:
        out.print(f"{name} may begin the qualification of {project} anew.", highlight=False)
    else:
        out.print(
            f"{name} has not tried to qualify for {project} yet, so there is nothing to reset."
        )


@workers.command("forget", short_help="Delete what projects remember of a worker.")
@click.argument("worker")
@click.option("--project", help="Folder of the project's manifests.  [default: all projects]")
@json_option("Print as JSON where the worker was forgotten.")
@click.pass_obj
def forget_worker(target: Target, /, worker: str, project: str | None, as_json: bool) -> None:
    """Delete what projects remember of WORKER, an email or the name that is on their answers.

    Also from the copies of runs: those, labeled again, are then labeled without it. The answers
    are kept, and a run that has not ended yet remembers at its end what it learns of them itself.
    S3 keeps older versions for 90 days.
    """
    cloud = target.cloud
    name = cloud.users.worker(worker) if EMAIL.fullmatch(worker) else worker
    if name is None:  # to find nothing under an address would look as if nothing were remembered
        raise click.ClickException(
            f"There is no account {worker}. If it was removed, only the name that its answers have "
            "leads to what is remembered: `worker` in the answers.csv of "
            f"{cloud.command('fetch RUN')}. Then: {cloud.command('workers forget NAME')}"
        )
    bucket = cloud.labels_bucket
    project = project.strip("/") if project else None
    places = forget(cloud.storage, bucket, name, project)
    places += forget_standings(cloud.ports, cloud.storage, bucket, name, project)
    if as_json:
        print_json({"worker": name, "forgotten": places})
    elif places:
        out.print(f"{name} is forgotten in {counted(len(places), 'place')}: {', '.join(places)}")
    else:
        out.print(f"Nothing is remembered of {name}.")
