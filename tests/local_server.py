"""HTTP servers of this process, which answer what a test asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from threading import Thread


@contextmanager
def serving(server: HTTPServer) -> Iterator[HTTPServer]:
    """Let a server answer on another thread for the length of a `with` block."""
    # How often it looks if it should stop: with the usual half second, each block takes that long.
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
