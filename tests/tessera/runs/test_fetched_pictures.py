"""Pictures at addresses and paths are in the inbox before their manifest is, or nothing is."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.exits import Refused
from tessera.picture_folder import content_hash
from tessera.runs import fetched_pictures
from tessera.runs.fetched_pictures import (
    MOST_REDIRECTS,
    NotFetched,
    address,
    any_elsewhere,
    fetch,
    lines_elsewhere,
    with_fetched_pictures,
    with_placeholders,
)
from tests.local_server import serving
from tests.tessera.conftest import png

PICTURE = png(5, 4)


class Site(BaseHTTPRequestHandler):
    """A web server with a picture, and with what goes wrong on others."""

    def do_GET(self) -> None:
        name, _, number = self.path.strip("/").partition("?")
        if name == "again":  # leads to itself so many times, then to the picture
            left = int(number)
            self._answer(302, location=f"/again?{left - 1}" if left > 1 else "/cat.png")
        elif name == "elsewhere":
            self._answer(302, location="ftp://127.0.0.1/cat.png")
        elif name == "page":
            self._answer(200, b"<html>not found</html>")
        elif unquote(name) in ("cat.png", "große Katze 100%.png"):
            self._answer(200, PICTURE)
        else:
            self._answer(404)

    def _answer(self, status: int, body: bytes = b"", location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a web server."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Site)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def manifest(*sources: str) -> bytes:
    return b"".join(
        json.dumps({"source-ref": source, "id": 7}).encode() + b"\n" for source in sources
    )


def test_each_picture_is_uploaded_once_and_other_lines_stay_as_they_are(
    site: str, place: Any, labels: Any, tmp_path: Path
) -> None:
    (tmp_path / "may").mkdir()
    (tmp_path / "may/tom.png").write_bytes(png(3, 3))
    own = b'{ "source-ref" : "s3://pets/1.jpg" }\n? no line\n'
    text = own + manifest(f"{site}/cat.png", "may/tom.png", f"{site}/again?{MOST_REDIRECTS}")

    written = with_fetched_pictures(place.cloud, text, tmp_path, "pets")
    lines = written.splitlines(keepends=True)
    uris = [json.loads(line)["source-ref"] for line in lines[2:]]

    assert b"".join(lines[:2]) == own
    assert uris[0] == uris[2] == f"s3://inbox/images/pets/{content_hash(PICTURE)}/cat.png"
    assert uris[1].endswith("/tom.png")
    assert all(json.loads(line)["id"] == 7 for line in lines[2:])
    assert labels.files.objects[uris[0]] == PICTURE
    assert labels.files.content_types[uris[1]] == "image/png"
    assert labels.files.requests["PutObject"] == 2


def test_all_that_cannot_be_fetched_is_listed_and_nothing_is_uploaded(
    site: str, place: Any, labels: Any, tmp_path: Path
) -> None:
    text = manifest(
        f"{site}/cat.png", f"{site}/gone.png", f"{site}/page", "nowhere/tom.png",
        f"{site}/again?{MOST_REDIRECTS + 2}", f"{site}/elsewhere", "http://127.0.0.1:1/", "http://",
    )  # fmt: skip
    with pytest.raises(Refused) as refused:
        with_fetched_pictures(place.cloud, text, tmp_path, "pets")

    message = refused.value.message
    assert message.startswith("manifest: 7 pictures of 8 cannot be taken, so nothing is dropped")
    for number, reason in {2: "404", 3: "not a picture", 4: "No such file", 6: "ftp://"}.items():
        (entry,) = [part for part in message.split("line ") if part.startswith(f"{number},")]
        assert reason in entry
    assert not labels.files.objects


def test_a_picture_that_is_too_large_is_refused(
    site: str, place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_pictures, "MOST_BYTES", len(PICTURE) - 1)
    (tmp_path / "large.png").write_bytes(PICTURE)
    with pytest.raises(Refused, match="2 pictures of 2"):
        with_fetched_pictures(
            place.cloud, manifest(f"{site}/cat.png", "large.png"), tmp_path, "pets"
        )


def test_a_picture_that_changes_meanwhile_is_refused(
    place: Any, labels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = iter([png(1, 1), png(2, 2)])
    monkeypatch.setattr(fetched_pictures, "fetch", lambda *_: next(contents))
    with pytest.raises(Refused, match="changed while it was fetched"):
        with_fetched_pictures(place.cloud, manifest("tom.png"), tmp_path, "pets")
    assert not labels.files.objects


sources = st.sampled_from(
    ["s3://pets/1.jpg", "https://example.com/1.jpg", "may/1.jpg", "../1.jpg", "C:\\may\\1.jpg", ""]
)
junk = st.sampled_from([b"", b"?", b"[1]", b'{"source-ref": 7}', b'{"a": 1}', b"\xff"])


@given(st.lists(sources.map(lambda source: manifest(source)[:-1]) | junk, min_size=1))
def test_placeholders_leave_every_line_in_its_place(lines: list[bytes]) -> None:
    text = b"\n".join(lines) + b"\n"
    moved = {line.number for line in lines_elsewhere(text)}
    written = with_placeholders(text).splitlines()

    assert len(written) == len(lines)
    for number, (before, after) in enumerate(zip(lines, written, strict=True)):
        assert (before == after) == (number not in moved)
    assert not lines_elsewhere(with_placeholders(text))


def test_an_address_with_blanks_umlauts_and_percents_is_fetched_as_a_browser_does(
    site: str, tmp_path: Path
) -> None:
    for name in ("große Katze 100%.png", "gro%C3%9Fe%20Katze 100%.png#top", "cat.png?a=ä b"):
        assert fetch(f"{site}/{name}", tmp_path) == PICTURE


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_an_address_that_is_one_already_stays_so(name: str) -> None:
    once = address(f"https://pictures.test/{name}")
    assert once.isascii()
    assert " " not in once
    assert address(once) == once
    assert address(f"https://pictures.test/{quote(name)}") == f"https://pictures.test/{quote(name)}"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("source", "elsewhere"),
    [
        ("s3://pets/1.jpg", False),
        ("S3://pets/1.jpg", False),
        ("s3:/pets/1.jpg", False),
        ("gs://pets/1.jpg", False),
        ("arn:aws:s3:::pets/1.jpg", False),
        ("HTTPS://example.com/1.jpg", True),
        ("./1.jpg", True),
    ],
)
def test_a_misspelled_uri_is_no_path(source: str, elsewhere: bool, tmp_path: Path) -> None:
    (tmp_path / "may.manifest").write_bytes(manifest(source))

    assert bool(lines_elsewhere(manifest(source))) == elsewhere
    assert any_elsewhere(tmp_path / "may.manifest") or not elsewhere


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "no server answers there"),
        (socket.gaierror(-2, "Name or service not known"), "no server of this name"),
        (TimeoutError("timed out"), "no answer within 30 seconds"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError(113, "No route to host"), "No route to host"),
        (ssl.SSLError(1, "[SSL] wrong version number"), "wrong version number"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_address_that_does_not_answer_is_told_in_words_without_numbers_of_errors(
    reason: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([reason, URLError(reason)])

    def fail(*_: Any, **__: Any) -> None:
        raise next(failures)

    monkeypatch.setattr("urllib.request.OpenerDirector.open", fail)
    for _ in range(2):
        with pytest.raises(NotFetched, match=words) as refused:
            fetch("https://example.org/cat.png", tmp_path)
        assert "Errno" not in str(refused.value)
