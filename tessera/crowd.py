"""Workers on the portal: people added to its pool, and simulated ones who answer by its HTTP door."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from tessera.cloud import Cloud


@dataclass(frozen=True, slots=True)
class Account:
    """What a person signs in to the portal with."""

    email: str
    password: str


def add_worker(cloud: Cloud, email: str) -> Account:
    """Make the worker, or give the one that is there a new password."""
    users, pool = cloud.client("cognito-idp"), cloud.outputs["WorkerPoolId"]
    password = f"Tessera1{secrets.token_urlsafe(9)}"
    try:
        users.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
    except users.exceptions.UsernameExistsException:
        pass
    users.admin_set_user_password(
        UserPoolId=pool, Username=email, Password=password, Permanent=True
    )
    return Account(email, password)
