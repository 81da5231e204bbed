"""Upload the pictures of a folder to the inbox, each under the hash of its content.

    images/<project>/<hash>/<name in the folder>

Two pictures of one name are two objects, and a picture that the project has already, under
whatever name, is neither uploaded nor asked again (docs/decisions/pictures-by-content.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

from tessera.exits import Refused
from tessera.exports.pictures import in_order
from tessera.picture_types import MEDIA_TYPES, is_shown, left_out, suffix_of, suffixes_in_words
from tessera.screen import progress, warn
from tessera.stack.cloud import Cloud

HASH_DIGITS = 32
"""Hexadecimal digits of the SHA-256 in a key: 128 bits, beyond any chance of two alike."""
LONGEST_KEY = 1024
"""Bytes of the longest key that S3 takes."""
_BY_HASH = re.compile(rf"([0-9a-f]{{{HASH_DIGITS}}})/.+", re.DOTALL)


def upload_pictures(cloud: Cloud, folder: Path, project: str) -> bytes:
    """Upload a folder's pictures to the inbox, and return a manifest of them.

    Content that the project's pictures in the inbox have already is not uploaded again, so that
    an interrupted drop goes on where it was. Pictures that browsers do not show are left out,
    with a warning. Refused if no picture is left, or if one changes meanwhile.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    warn(left_out(path.name for path in files))
    paths = [path for path in files if is_shown(path.name)]
    if not paths:
        raise Refused(f"{folder} has no images: {suffixes_in_words()} files.")
    prefix = f"{cloud.outputs['Inbox']}/images/{project}/"
    digests = _hash_all(paths)
    uris = _pictures_by_content(cloud, prefix)
    missing: dict[str, Path] = {}
    for path, digest in zip(paths, digests, strict=True):
        if digest not in uris:  # the first of several alike gives them its name
            uris[digest] = picture_uri(prefix, digest, path.relative_to(folder).as_posix())
            missing[digest] = path
    _upload_all(cloud, [(path, digest, uris[digest]) for digest, path in missing.items()])
    lines = (json.dumps({"source-ref": uris[digest]}, ensure_ascii=False) for digest in digests)
    return ("\n".join(lines) + "\n").encode()


def content_hash(content: bytes) -> str:
    """Return the hash that a picture's key has for its content.

    >>> content_hash(b"a picture")
    '92b2fa58028958317e408bd84ecfa70f'
    """
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def picture_uri(prefix: str, digest: str, name: str) -> str:
    """Return where a picture is put: by content, and readable by its name in the folder.

    A name too long for a key loses its folders.

    >>> picture_uri("s3://inbox/images/pets/", "4d3e", "may/tom.jpg")
    's3://inbox/images/pets/4d3e/may/tom.jpg'
    """
    uri = f"{prefix}{digest}/{name}"
    if len(uri.partition("://")[2].partition("/")[2].encode()) > LONGEST_KEY:
        return f"{prefix}{digest}/{PurePosixPath(name).name}"
    return uri


def _hash_all(paths: list[Path]) -> list[str]:
    """Return the content hash of each file, in order."""
    with progress("pictures read", len(paths)) as advance:
        digests = []
        for _, digest in in_order(lambda path: content_hash(path.read_bytes()), paths):
            digests.append(str(digest))
            advance(1)
    return digests


def _pictures_by_content(cloud: Cloud, prefix: str) -> dict[str, str]:
    """Return the URIs of a project's pictures in the inbox by content hash.

    Of several with the same content it is the first in S3's order, at every call.
    """
    uris: dict[str, str] = {}
    for uri in cloud.storage.list_uris(prefix):
        if match := _BY_HASH.fullmatch(uri.removeprefix(prefix)):
            uris.setdefault(match[1], uri)
    return uris


def _upload_all(cloud: Cloud, pictures: list[tuple[Path, str, str]]) -> None:
    """Upload files, each with its content hash and its URI."""

    def upload(picture: tuple[Path, str, str]) -> None:
        path, digest, uri = picture
        content = path.read_bytes()
        # The key promises this content for good, so what is put is hashed, not what was read first.
        if content_hash(content) != digest:
            raise Refused(
                f"{path} changed while the folder was uploaded. Drop the folder again; what has "
                "been uploaded is not uploaded twice."
            )
        cloud.storage.put(uri, content, content_type=MEDIA_TYPES[suffix_of(path.name)])

    with progress("pictures uploaded", len(pictures)) as advance:
        for _ in in_order(upload, pictures):
            advance(1)
