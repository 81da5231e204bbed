"""Cognito: the people of a user pool and their groups."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


class User(NamedTuple):
    """Account of a pool; `worker` is the name under which the person's answers are kept."""

    email: str
    worker: str
    status: str
    groups: tuple[str, ...]
    since: datetime


def temporary_password() -> str:
    """Make a password for the first sign-in, with every kind of character a pool may ask for."""
    return f"{secrets.token_urlsafe(12)}-aA1"


class Users:
    """Accounts of one user pool, by email address."""

    def __init__(self, client: Callable[[], CognitoIdentityProviderClient], pool: str) -> None:
        """Keep what gives the client, made at the first call, and the pool's id."""
        self._client, self._pool = client, pool

    def create(self, email: str, *, invite: bool) -> str | None:
        """Create an account; return its temporary password, or None if it exists already.

        Cognito mails the password as well if it is to invite.
        """
        password = temporary_password()
        new: dict[str, Any] = {
            "UserPoolId": self._pool,
            "Username": email,
            "TemporaryPassword": password,
            "UserAttributes": [
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        }
        client = self._client()
        try:
            client.admin_create_user(**new | ({} if invite else {"MessageAction": "SUPPRESS"}))
        except client.exceptions.UsernameExistsException:
            return None
        return password

    def reset_password(self, email: str) -> str:
        """Set a new temporary password, which signs the account out everywhere, and return it."""
        password = temporary_password()
        self._client().admin_set_user_password(
            UserPoolId=self._pool, Username=email, Password=password, Permanent=False
        )
        self._client().admin_user_global_sign_out(UserPoolId=self._pool, Username=email)
        return password

    def forget_authenticator(self, email: str) -> None:
        """Ask the account for no code of an authenticator app until one is set up again."""
        self._client().admin_set_user_mfa_preference(
            UserPoolId=self._pool,
            Username=email,
            SoftwareTokenMfaSettings={"Enabled": False, "PreferredMfa": False},
        )

    def worker(self, email: str) -> str | None:
        """Return the name under which an account's answers are kept, or None without account."""
        client = self._client()
        try:
            user = client.admin_get_user(UserPoolId=self._pool, Username=email)
        except client.exceptions.UserNotFoundException:
            return None
        names = {entry["Name"]: entry.get("Value", "") for entry in user["UserAttributes"]}
        return names["sub"]

    def delete(self, email: str) -> None:
        """Sign the account out everywhere and delete it."""
        self._client().admin_user_global_sign_out(UserPoolId=self._pool, Username=email)
        self._client().admin_delete_user(UserPoolId=self._pool, Username=email)

    def add_to_group(self, email: str, group: str) -> None:
        """Put the account into a group, which is created if there is none of this name."""
        client = self._client()
        with suppress(client.exceptions.GroupExistsException):
            client.create_group(UserPoolId=self._pool, GroupName=group)
        client.admin_add_user_to_group(UserPoolId=self._pool, Username=email, GroupName=group)

    def emails(self, group: str = "") -> Iterator[tuple[str, str]]:
        """Iterate over the accounts of a group, or over all: each one's worker and email.

        A group that nobody has made has no members.
        """
        client, pool = self._client(), self._pool
        pages: Any = client.get_paginator("list_users").paginate(UserPoolId=pool)
        if group:
            members = client.get_paginator("list_users_in_group")
            pages = members.paginate(UserPoolId=pool, GroupName=group)
        with suppress(client.exceptions.ResourceNotFoundException):
            for page in pages:
                for user in page["Users"]:
                    names = {each["Name"]: each.get("Value", "") for each in user["Attributes"]}
                    yield names["sub"], names.get("email", user["Username"])

    def list(self) -> Iterator[User]:
        """Iterate over the accounts of the pool, with their groups."""
        client = self._client()
        for page in client.get_paginator("list_users").paginate(UserPoolId=self._pool):
            for user in page["Users"]:
                names = {entry["Name"]: entry.get("Value", "") for entry in user["Attributes"]}
                groups = client.admin_list_groups_for_user(
                    UserPoolId=self._pool, Username=user["Username"]
                )["Groups"]
                # An organization's member is known to the pool by another name than the address.
                is_external = user["UserStatus"] == "EXTERNAL_PROVIDER"
                yield User(
                    email=user["Username"] if is_external else names.get("email", user["Username"]),
                    worker=names["sub"],
                    status=user["UserStatus"],
                    groups=tuple(group["GroupName"] for group in groups),
                    since=user["UserCreateDate"],
                )
