"""Facts for `tessera doctor`: a picture is fetched as a browser would, from servers made here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tessera.stack.checks import Fetch
from tessera.stack.facts import PICTURE, fetch
from tessera.stack.local_stack import free_port
from tests.local_server import serving


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A server that answers every request so; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep still."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"127.0.0.1:{server.server_port}"


@pytest.mark.thorough
@pytest.mark.parametrize("status", [200, 301, 307, 400, 403, 404, 503])
def test_a_fetch_tells_the_status_of_the_first_answer(status: int) -> None:
    document = b"<Error><Message>Request has expired</Message></Error>"
    with answering(status, document, Location="http://127.0.0.1:9/") as host:
        answer = fetch(f"http://{host}/picture.png?signed")

    assert answer == Fetch(host, status, "" if status == 200 else "Request has expired")


def test_an_address_that_nobody_answers_at_has_status_zero_and_a_reason() -> None:
    host = f"127.0.0.1:{free_port()}"
    answer = fetch(f"http://{host}/")

    assert (answer.address, answer.status) == (host, 0)
    assert "refused" in answer.message


def test_the_picture_is_one_that_browsers_can_show() -> None:
    from io import BytesIO

    from PIL import Image

    assert Image.open(BytesIO(PICTURE)).size == (1, 1)
    Image.open(BytesIO(PICTURE)).load()
