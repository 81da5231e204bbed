"""Connection to a server that is kept between requests, as a browser keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException

NO_HEADERS: Mapping[str, str] = {}
SECONDS = 180
"""Seconds that a response may take."""


class KeptConnection:
    """Connection over which one request follows another."""

    def __init__(self, host: str, port: int) -> None:
        """Keep the address; the first request connects."""
        self._address = (host, port)
        self._connection: HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> tuple[int, Message, bytes]:
        """Return status, headers and content of the response; status 0 if there is none."""
        for is_last in (False, True):
            try:
                if self._connection is None:
                    self._connection = HTTPConnection(*self._address, timeout=SECONDS)
                self._connection.request(method, path, body, dict(headers))
                response = self._connection.getresponse()
                return response.status, response.headers, response.read()
            except (OSError, HTTPException):
                # A server may have closed a connection that was idle: a browser asks once more.
                self._connection = None
                if is_last:
                    break
        return 0, Message(), b""
