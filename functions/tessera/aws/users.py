"""Cognito: the people of a user pool and their groups."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from tessera.aws.clients import users


class Person(NamedTuple):
    """An account of the pool; `worker` is the name under which answers are kept."""

    email: str
    worker: str
    status: str
    groups: tuple[str, ...]
    since: datetime


def temporary_password() -> str:
    """A password for the first sign-in, with every kind of character that a pool may ask for."""
    return f"{secrets.token_urlsafe(12)}-aA1"


def add(pool: str, email: str, *, invite: bool) -> str | None:
    """The temporary password of a new account, nothing if the account is there already.

    Cognito mails it as well if it is to invite.
    """
    client, password = users(), temporary_password()
    new: dict[str, Any] = {
        "UserPoolId": pool,
        "Username": email,
        "TemporaryPassword": password,
        "UserAttributes": [
            {"Name": "email", "Value": email},
            {"Name": "email_verified", "Value": "true"},
        ],
    }
    try:
        client.admin_create_user(**new | ({} if invite else {"MessageAction": "SUPPRESS"}))
    except client.exceptions.UsernameExistsException:
        return None
    return password


def reset(pool: str, email: str) -> str:
    """A new temporary password for the account, which signs it out everywhere."""
    password = temporary_password()
    users().admin_set_user_password(
        UserPoolId=pool, Username=email, Password=password, Permanent=False
    )
    users().admin_user_global_sign_out(UserPoolId=pool, Username=email)
    return password


def worker_of(pool: str, email: str) -> str | None:
    """The name under which the answers of an account are kept; nothing if there is no account."""
    client = users()
    try:
        found = client.admin_get_user(UserPoolId=pool, Username=email)
    except client.exceptions.UserNotFoundException:
        return None
    names = {entry["Name"]: entry.get("Value", "") for entry in found["UserAttributes"]}
    return names["sub"]


def remove(pool: str, email: str) -> None:
    """Sign the account out everywhere and delete it."""
    users().admin_user_global_sign_out(UserPoolId=pool, Username=email)
    users().admin_delete_user(UserPoolId=pool, Username=email)


def join(pool: str, email: str, group: str) -> None:
    """Put the account into a group, which is made if there is none of this name."""
    client = users()
    with suppress(client.exceptions.GroupExistsException):
        client.create_group(UserPoolId=pool, GroupName=group)
    client.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=group)


def people(pool: str) -> Iterator[Person]:
    """The accounts of the pool, with their groups."""
    for page in users().get_paginator("list_users").paginate(UserPoolId=pool):
        for user in page["Users"]:
            names = {entry["Name"]: entry.get("Value", "") for entry in user["Attributes"]}
            groups = users().admin_list_groups_for_user(UserPoolId=pool, Username=user["Username"])[
                "Groups"
            ]
            yield Person(
                email=names.get("email") or user["Username"],
                worker=names["sub"],
                status=user["UserStatus"],
                groups=tuple(group["GroupName"] for group in groups),
                since=user["UserCreateDate"],
            )
