"""Fetch the pictures that a manifest on this machine names by address or by path.

A run reads pictures in S3 alone. Lines with an `https://` address, or with a path that counts from
the manifest's folder, are fetched here, looked at, and uploaded by their content; all of them, or
nothing is dropped. Addresses are opened from the user's own machine, with what it may reach.
"""

from __future__ import annotations

import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec

from tessera.exits import Refused
from tessera.exports.pictures import HEAD, in_order, kind_of
from tessera.picture_folder import content_hash, listed, reason_not_shown
from tessera.picture_types import MEDIA_TYPES
from tessera.runs.uploads import pictures_by_content
from tessera.screen import counted, progress
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import NOT_JSON, TesseraError
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK
from tessera.tiling.manifest.stream import BLOCK_BYTES, line_blocks, manifest_lines
from tessera.tiling.picture_keys import picture_uri, pictures_of

MOST_BYTES = 100 * 1024 * 1024
"""Bytes of the largest picture that is fetched: above any photograph, below what fills a disk."""
SECONDS = 30
"""How long a server may be silent."""
MOST_REDIRECTS = 5
"""Addresses that one address may lead to, one after the other."""
AT_ONCE = 8
"""Pictures fetched at a time, as many as browsers fetch from one server, or a few more."""


_ELSEWHERE = re.compile(rb'"source-ref"\s*:\s*"(?!s3://)')


class NotFetched(Exception):
    """Reason why a picture could not be fetched."""


class Line(NamedTuple):
    """Line of a manifest whose picture is not in S3."""

    number: int
    source: str
    members: dict[str, msgspec.Raw]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirections, only so many and only from one web address to another."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        """Follow to another web address; raise NotFetched for anything else."""
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise NotFetched(f"leads to {newurl[:80]}, which is no web address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def lines_elsewhere(manifest: bytes) -> list[Line]:
    """Return the lines whose pictures are not in S3 but at an address or a path."""
    lines = []
    for index, raw in enumerate(manifest_lines([manifest])):
        line = raw.removeprefix(BYTE_ORDER_MARK) if index == 0 else raw
        try:
            members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            source = msgspec.json.decode(members.get("source-ref", msgspec.Raw(b"0")))
        except NOT_JSON:
            continue  # a bad line, which the run rejects with the reason
        if isinstance(source, str) and _is_elsewhere(source):
            lines.append(Line(index, source, members))
    return lines


def _is_elsewhere(source: str) -> bool:
    """Return whether a source is a web address or a path, and no misspelled URI of S3."""
    if source.lower().startswith(("https://", "http://")):
        return True
    return "://" not in source and not source.lower().startswith(("arn:", "s3:")) and bool(source)


def any_elsewhere(manifest: Path) -> bool:
    """Return whether a manifest on this machine may name pictures that are not in S3."""
    with manifest.open("rb") as file:
        pieces = iter(partial(file.read, BLOCK_BYTES), b"")
        try:
            return any(_ELSEWHERE.search(block) for block in line_blocks(pieces))
        except TesseraError:  # damaged, which is worded where its lines are counted
            return False


def with_placeholders(manifest: bytes) -> bytes:
    """Return the manifest as it will be, for counting: each picture in S3, under some name."""
    lines = lines_elsewhere(manifest)
    uris = {line.number: f"s3://inbox/{content_hash(line.source.encode())}" for line in lines}
    return b"".join(_moved(manifest, uris, {line.number: line.members for line in lines}))


def with_fetched_pictures(
    cloud: Cloud, manifest: bytes, folder: Path, project: str, called: str = "manifest"
) -> bytes:
    """Return a manifest whose pictures are all in S3, after uploading those that were not.

    Paths count from `folder`; `called` is the manifest's name. Other lines stay byte for byte.
    Refused, with a list and before anything is uploaded, if any picture cannot be fetched or shown.
    """
    lines = lines_elsewhere(manifest)
    if not lines:
        return manifest
    prefix = pictures_of(cloud.outputs["Inbox"], project)
    uris = pictures_by_content(cloud, prefix)
    sources = list(dict.fromkeys(line.source for line in lines))
    digests = _look_at_all(called, folder, lines, sources)
    with progress("pictures uploaded", len(sources)) as advance:
        for source in sources:  # fetched again, so that memory and disk hold one at a time
            digest = digests[source]
            if digest not in uris:
                uris[digest] = picture_uri(prefix, digest, _name_of(source))
                _upload(cloud, folder, source, digest, uris[digest])
            advance(1)
    moved = {line.number: uris[digests[line.source]] for line in lines}
    members = {line.number: line.members for line in lines}
    return b"".join(_moved(manifest, moved, members))


def _look_at_all(
    called: str, folder: Path, lines: list[Line], sources: list[str]
) -> dict[str, str]:
    """Return the content hash of each source; Refused with a list of those that failed."""
    first = {line.source: line.number for line in reversed(lines)}
    failed: list[str] = []
    digests: dict[str, str] = {}

    def look(source: str) -> str | NotFetched:
        try:
            content = fetch(source, folder)
        except NotFetched as reason:
            return reason
        reason_ = reason_not_shown(content)
        return NotFetched(reason_) if reason_ else content_hash(content)

    with progress("pictures fetched", len(sources)) as advance:
        for source, result in in_order(look, sources, at_once=AT_ONCE):
            if isinstance(result, str):
                digests[source] = result
            else:
                failed.append(f"line {first[source] + 1}, {source[:200]} ({result})")
            advance(1)
    if failed:
        raise Refused(
            f"{called}: {counted(len(failed), 'picture')} of {len(sources):,} cannot be taken, so "
            f"nothing is dropped: {listed(failed)}. Mend or remove these lines."
        )
    return digests


def fetch(source: str, folder: Path) -> bytes:
    """Return the content at a web address or a path; raises NotFetched with the reason."""
    try:
        if not source.lower().startswith(("https://", "http://")):
            path = folder / source
            if path.stat().st_size > MOST_BYTES:
                raise NotFetched(f"larger than {MOST_BYTES:,} bytes")
            return path.read_bytes()
        opener = urllib.request.build_opener(_Redirects)
        request = urllib.request.Request(address(source), headers={"User-Agent": "tessera"})
        with opener.open(request, timeout=SECONDS) as response:
            content: bytes = response.read(MOST_BYTES + 1)
    except HTTPError as error:
        error.close()  # it holds the connection
        raise NotFetched(f"{error.code} {error.reason}".splitlines()[0]) from error
    except URLError as error:
        raise NotFetched(_failure(error.reason)) from error
    except (HTTPException, OSError, ValueError) as error:
        raise NotFetched(_failure(error)) from error
    if len(content) > MOST_BYTES:
        raise NotFetched(f"larger than {MOST_BYTES:,} bytes")
    return content


def address(source: str) -> str:
    """Return a web address as a request has it: blanks and letters beyond ASCII in percents.

    >>> address("https://example.com/käse 1.jpg?size=2&name=%C3%A4")
    'https://example.com/k%C3%A4se%201.jpg?size=2&name=%C3%A4'
    """
    parts = urlsplit(source.strip())
    host = parts.netloc
    if not host.isascii():
        host = host.encode("idna").decode()
    path, query = (quote(_LONE_PERCENT.sub("%25", part), _IN_ADDRESS) for part in parts[2:4])
    return urlunsplit((parts.scheme, host, path, query, ""))


_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
"""Percent sign that encodes nothing."""
_IN_ADDRESS = "%/:=&?~+!$,;'@()*[]|"
"""Characters of an address that stay as they are, beside letters and digits."""


def _failure(reason: BaseException | str) -> str:
    """Return in words why nothing came of an address or a path."""
    if isinstance(reason, ConnectionRefusedError):
        return "no server answers there"
    if isinstance(reason, socket.gaierror):
        return "there is no server of this name, or no network"
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS} seconds"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"the server's certificate is not valid: {reason.verify_message}"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _name_of(source: str) -> str:
    """Return the last part of an address or path, to know the picture by.

    >>> _name_of("https://example.com/cats/tom%20b.jpg?size=2"), _name_of("https://example.com/")
    ('tom b.jpg', 'picture')
    """
    path = urlsplit(source).path if "://" in source else source.replace("\\", "/")
    return unquote(path).rstrip("/").rpartition("/")[2] or "picture"


def _upload(cloud: Cloud, folder: Path, source: str, digest: str, uri: str) -> None:
    try:
        content = fetch(source, folder)
    except NotFetched as reason:
        raise Refused(f"{source} could not be fetched again: {reason}. Drop again.") from reason
    if content_hash(content) != digest:
        raise Refused(f"{source} changed while it was fetched. Drop again.")
    cloud.storage.put(uri, content, content_type=MEDIA_TYPES[kind_of(content[:HEAD])])


def _moved(
    manifest: bytes, uris: dict[int, str], members: dict[int, dict[str, msgspec.Raw]]
) -> Iterator[bytes]:
    for index, raw in enumerate(manifest_lines([manifest])):
        if index in uris:
            source = msgspec.Raw(msgspec.json.encode(uris[index]))
            yield msgspec.json.encode(members[index] | {"source-ref": source}) + b"\n"
        else:
            yield raw + b"\n"
