"""Sign, look at and read pictures by a role that may read pictures and nothing else.

A task's page names what is signed, and a requester wrote the page and the manifest. Signed with the
portal's own role, an address could open whatever the portal may read: docs/threat-model.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from tessera.aws.storage import Storage

if TYPE_CHECKING:
    from tessera.aws.connection import Connection

SESSION_SECONDS = 3600
"""Seconds that a session of the role lasts: the most that AWS gives a role by another role."""

LEAST_SECONDS = 300
"""Seconds that a session must last on where a lease is longer than any session can be sure of: an
address of an hour at most is renewed with the lease, or when its picture fails."""


class RoleStorage(Storage):
    """S3 as the portal has it, with pictures signed and looked at by another role."""

    def __init__(
        self, connection: Connection, role: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep the connection; the role is assumed when the first picture is signed."""
        super().__init__(lambda: connection.client("s3"), connection.signing_client)
        self._connection, self._role, self._now = connection, role, clock
        self._pictures: Storage | None = None
        self._ends = 0.0
        self._assuming = Lock()

    def presign(self, uri: str, seconds: int) -> str:
        """Return an address as `Storage` does, by the role; it lives as long if it is an hour."""
        return self._storage(seconds).presign(uri, seconds)

    def etag(self, uri: str, by: float = math.inf) -> str | None:
        """Return the ETag of a picture as `Storage` does, by the role."""
        return self._storage(LEAST_SECONDS).etag(uri, by)

    def get_if_allowed(self, uri: str, limit: int) -> bytes | None:
        """Return the first bytes of a picture as `Storage` does, by the role."""
        return self._storage(LEAST_SECONDS).get_if_allowed(uri, limit)

    def _storage(self, seconds: int) -> Storage:
        """Return S3 by a session of the role that lasts so many seconds more, if any can."""
        # A new session lasts a little less than an hour by the time it is used.
        needed = min(seconds, SESSION_SECONDS - LEAST_SECONDS)
        with self._assuming:
            if self._pictures is None or self._now() + needed > self._ends:
                self._pictures, self._ends = self._assume()
            return self._pictures

    def _assume(self) -> tuple[Storage, float]:
        """Return S3 by a new session of the role, and when the session ends."""
        now = self._now()
        answer: dict[str, Any] = self._connection.client("sts").assume_role(
            RoleArn=self._role, RoleSessionName="pictures", DurationSeconds=SESSION_SECONDS
        )
        session = answer["Credentials"]
        keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        connection = replace(self._connection, credentials=keys)
        return connection.storage, now + SESSION_SECONDS
