"""Make the accounts of the people who label."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click

from tessera.screen import out
from tessera.stack.cloud import Cloud

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


def _outcome(account: dict[str, Any]) -> str:
    if not account["new"]:
        return "already has an account."
    if account["password"]:
        return f"signs in with the temporary password [bold]{account['password']}[/]"
    return "gets a temporary password by mail."
