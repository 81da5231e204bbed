"""Turkle on this machine, beside which `portal_load.py` measures the portal.

It is served as its documentation advises: gunicorn, two processes of eight threads, and PostgreSQL
with the settings that it comes with. Its environment is made by pip, in the folder that is given.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.kept_connection import KeptConnection
from tessera.stack.local_stack import free_port

PACKAGES = ("turkle==3.1.0", "gunicorn==23.0.0", "psycopg2-binary==2.9.13")
TOKEN = "a" * 32
"""Token against forged requests, in a cookie and in the form: any will do that is both."""
DATABASE_USER = "nobody"
"""User whom PostgreSQL runs as where root starts it, which it refuses."""


@dataclass(frozen=True)
class Turkle:
    """Turkle that is being served: its port, sessions of workers, and ids of batches in order."""

    port: int
    server: int
    database: int
    sessions: list[str]
    batches: list[int]


@contextmanager
def turkle(folder: Path, workers: int, images: int, sizes: Sequence[int]) -> Iterator[Turkle]:
    """Serve Turkle with so many workers, and a batch of tasks of each size."""
    python = environment(folder)
    with postgres() as (socket, database):
        variables = os.environ | {
            "DJANGO_SETTINGS_MODULE": "turkle_site.settings",
            "PYTHONPATH": str(Path(__file__).parent),
            "TURKLE_SECRET": secrets.token_hex(),
            "TURKLE_SOCKET": str(socket),
        }
        run([python, "-m", "django", "migrate", "--verbosity", "0"], variables)
        counts = [str(number) for number in (workers, images, *sizes)]
        filled = json.loads(run([python, "-m", "turkle_site.fill", *counts], variables))
        port = free_port()
        server = subprocess.Popen(
            [python, "-m", "gunicorn", "turkle_site.wsgi", "--bind", f"127.0.0.1:{port}",
             "--workers", "2", "--worker-class", "gthread", "--threads", "8",
             "--keep-alive", "60", "--timeout", "300", "--log-level", "error"],
            env=variables,
        )  # fmt: skip
        try:
            await_answer(port)
            yield Turkle(port, server.pid, database, filled["sessions"], filled["batches"])
        finally:
            server.terminate()
            server.wait(30)


def environment(folder: Path) -> str:
    """Make the environment that Turkle runs in, unless it is there; return its Python."""
    python = folder / "environment" / "bin" / "python"
    if not (folder / "made").exists():
        run([sys.executable, "-m", "venv", str(folder / "environment")], dict(os.environ))
        quiet = ("--quiet", "--quiet", "--disable-pip-version-check")
        run([str(python), "-m", "pip", "install", *quiet, *PACKAGES], dict(os.environ))
        (folder / "made").touch()
    return str(python)


@contextmanager
def postgres() -> Iterator[tuple[Path, int]]:
    """Run PostgreSQL with an empty database; yield the folder of its socket, and its process."""
    # Not in a folder of whoever starts it, which another user could not enter.
    home = Path(tempfile.mkdtemp(prefix="turkle-"))
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = {"user": DATABASE_USER}
        shutil.chown(home, DATABASE_USER)
    data, log = str(home / "data"), str(home / "log")
    options = f"-c listen_addresses='' -c unix_socket_directories='{home}'"
    run(["initdb", "--username", "turkle", "--auth", "trust", "--pgdata", data], None, **owner)
    start = ["pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options]
    run(start, None, **owner)
    try:
        yield home, int((home / "data" / "postmaster.pid").read_text().split()[0])
    finally:
        run(["pg_ctl", "stop", "--mode", "fast", "--pgdata", data], None, **owner)
        shutil.rmtree(home)


def run(command: list[str], variables: dict[str, str] | None, **owner: Any) -> str:
    """Return what a program prints; raises an error with it if the program fails."""
    # Not captured by a pipe: a server that is started keeps it open.
    done = subprocess.run(
        command, env=variables, text=True, cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if "pg_ctl" not in command else subprocess.DEVNULL, **owner,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}")
    return str(done.stdout or "")


def await_answer(port: int) -> None:
    """Wait until the server answers."""
    for _ in range(300):
        if KeptConnection("127.0.0.1", port).ask("GET", "/login/")[0] == 200:
            return
        time.sleep(0.1)
    raise RuntimeError("Turkle does not answer.")


class TurkleWorker:
    """Worker who claims and submits as Turkle's pages make a browser do it."""

    def __init__(self, served: Turkle, number: int, images: int) -> None:
        """Keep a connection of the worker's own, signed in."""
        self._connection = KeptConnection("127.0.0.1", served.port)
        self._images = images
        self._headers = {"Cookie": f"sessionid={served.sessions[number]}; csrftoken={TOKEN}"}

    def claim(self, batch: int) -> tuple[int, str]:
        """Return the status of a claim, 204 if there is no task, and where its answer goes.

        Three requests: one accepts the task, one shows the page around it, one the task.
        """
        path = f"/batch/{batch}/accept_next_task/"
        status, headers, _ = self._connection.ask("GET", path, None, self._headers)
        place = headers.get("Location", "")
        if status != 302:
            return status or 504, ""
        if "/task/" not in place:
            return 204, ""
        self._connection.ask("GET", place, None, self._headers)
        _, task, _, assignment = place.strip("/").split("/")
        frame = f"/task/{task}/assignment/iframe/{assignment}/"
        status, _, page = self._connection.ask("GET", frame, None, self._headers)
        is_whole = status == 200 and page.count(b"<figure>") == self._images
        return (200 if is_whole else status or 504), place

    def submit(self, place: str) -> int:
        """Return the status of an answer to the task, 200 if it is saved."""
        answer = {"csrfmiddlewaretoken": TOKEN} | {str(n): "cat" for n in range(self._images)}
        headers = self._headers | {
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"http://127.0.0.1{place}",
        }
        status, _, _ = self._connection.ask("POST", place, urlencode(answer).encode(), headers)
        return 200 if status == 302 else status or 504
