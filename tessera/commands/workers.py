"""`tessera workers`: accounts of the people who label."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from tessera.aws.storage import Storage
from tessera.portal.leases import block_worker
from tessera.portal.ports import Ports
from tessera.portal.qualification import begin_anew
from tessera.portal.rights import REQUESTERS
from tessera.portal.sessions import end_sessions
from tessera.portal.store import erase
from tessera.portal.table_layout import standing_key
from tessera.screen import Row, aside, counted, json_option, out, print_json, print_rows
from tessera.stack.cloud import Cloud
from tessera.stack.target import Target
from tessera.tiling.onboarding.qualification import FOLDER as QUALIFICATION
from tessera.tiling.onboarding.qualification import records_uri
from tessera.tiling.run.run_record import decode_record, project_of
from tessera.tiling.workers.worker_memory import (
    COPY_NAME,
    Memory,
    MemoryNewer,
    MemoryUnusable,
    decode_memory,
)

EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)
"""Addresses that browsers take in a field for one (HTML's `input type=email`), with a dot."""


def check_emails(emails: Iterable[str]) -> None:
    """Refuse what is no email address, before any account is made."""
    for email in emails:
        if not EMAIL.fullmatch(email):
            raise click.UsageError(
                f"{email!r} is no email address. People sign in with one, like ann@example.org"
            )


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


def add_people(
    cloud: Cloud,
    emails: Iterable[str],
    groups: list[str],
    *,
    invite: bool | None = None,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Make accounts of these people, and print their passwords unless Cognito mails them."""
    mailed = cloud.endpoint is None if invite is None else invite
    accounts = []
    for email in emails:
        accounts.append(_add(cloud, email, groups, mailed=mailed))
        if not quiet:  # at once: should the next one fail, this password is known
            out.print(f"[bold]{email}[/] {_outcome(accounts[-1])}")
    return accounts


def _add(cloud: Cloud, email: str, groups: list[str], *, mailed: bool) -> dict[str, Any]:
    """Make one account, if there is none of this name, and have it join the groups."""
    password = cloud.users.create(email, invite=mailed)
    for group in groups:
        cloud.users.add_to_group(email, group)
    printed = None if mailed else password
    return {"email": email, "new": password is not None, "password": printed, "teams": groups}


def _no_worker(cloud: Cloud, email: str) -> str:
    return f"There is no worker {email}. List them: {cloud.command('workers list')}"


def _outcome(account: dict[str, Any]) -> str:
    if not account["new"]:
        return "already has an account."
    if account["password"]:
        return f"signs in with the temporary password [bold]{account['password']}[/]"
    return "gets a temporary password by mail."


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
    worker = cloud.users.worker(email)
    if worker is None:
        raise click.ClickException(_no_worker(cloud, email))
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
    worker = cloud.users.worker(email)
    if worker is None:
        raise click.ClickException(_no_worker(cloud, email))
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
    name = cloud.users.worker(worker) if EMAIL.fullmatch(worker) else _account_of(worker)
    if name is None:
        raise click.ClickException(_no_worker(cloud, worker))
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


def forget(storage: Storage, bucket: str, worker: str, project: str | None) -> list[str]:
    """Delete a worker from all that is remembered; return the addresses of what held them.

    Of a project that is its own memory and the copies of its runs. ClickException, once all else
    is done, for what a newer Tessera wrote.
    """
    prefix = f"s3://{bucket}/projects/{f'{project}/' if project else ''}"
    memories = [uri for uri in storage.list_uris(prefix) if uri.endswith(f"/{COPY_NAME}")]
    if project:
        memories = [uri for uri in memories if uri == f"{prefix}{COPY_NAME}"]
    homes = [
        home
        for home in storage.list_folders(f"s3://{bucket}/runs/")
        if storage.size(f"{home}{COPY_NAME}") is not None
        and (not project or _project_of_run(storage, home) == project)
    ]
    gone, newer = [], []
    for uri in [*memories, *(f"{home}{COPY_NAME}" for home in homes)]:
        try:
            if _forget_in(storage, uri, worker):
                gone.append(uri)
        except MemoryNewer:
            newer.append(uri)
    if newer:
        raise click.ClickException(
            f"A newer Tessera wrote {', '.join(newer)}, which may tell of {worker}: forget them "
            f"with that one. Elsewhere they are forgotten, in {counted(len(gone), 'place')}."
        )
    return gone


def _project_of_run(storage: Storage, home: str) -> str:
    return project_of(decode_record(storage.get(f"{home}run.json")).manifest)


def forget_standings(
    ports: Ports, storage: Storage, bucket: str, worker: str, project: str | None
) -> list[str]:
    """Delete what a worker came to in qualifications; return the addresses of the records."""
    worker = _account_of(worker)
    end = f"/{QUALIFICATION}{worker}"
    homes = (uri.rpartition("/")[0] for uri in storage.list_uris(f"s3://{bucket}/projects/"))
    folders = sorted({home.removesuffix(worker) for home in homes if home.endswith(end)})
    if project:
        folders = [f"s3://{bucket}/projects/{project.strip('/')}/{QUALIFICATION}"]
    gone = [uri for folder in folders for uri in storage.list_uris(f"{folder}{worker}/")]
    for uri in gone:
        storage.delete(uri)
    erase(ports.table, [standing_key(folder, worker) for folder in folders])
    return gone


def _account_of(worker: str) -> str:
    """Return the portal's name of a worker who may be named as on answers: `private.REGION.NAME`.

    >>> _account_of("private.us-east-1.ann"), _account_of("ann")
    ('ann', 'ann')
    """
    return worker.rpartition(".")[2]


def _forget_in(storage: Storage, uri: str, worker: str) -> bool:
    """Delete a worker from one memory, whatever runs write to it meanwhile; whether they were.

    Memories have the names that answers have, and accounts only the end of those. One that cannot
    be used may tell of anybody and serves nobody, so all of it is deleted.
    """
    account = _account_of(worker)
    while True:
        document, etag = storage.get_with_etag(uri)
        try:
            memory = decode_memory(document)
        except MemoryNewer:
            raise
        except MemoryUnusable:
            memory = Memory()
        else:
            names = {name for name in memory.names() if _account_of(name) == account}
            if not names:
                return False
            for name in names:
                memory = memory.without(name)
        without = msgspec.json.encode(memory)
        if storage.put_if_match(uri, without, etag, content_type="application/json"):
            return True
