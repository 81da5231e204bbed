"""Upload the pictures of a folder to the inbox, each under the hash of its content.

    images/<project>/<hash>/<name in the folder>

Two pictures of one name are two objects, and a picture that the project has already, under
whatever name, is neither uploaded nor asked again (docs/decisions/pictures-by-content.md).
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

from tessera.aws.storage import split_uri
from tessera.exits import Refused
from tessera.exports.pictures import in_order
from tessera.picture_folder import HASH_DIGITS, Picture, content_hash, look_at_pictures
from tessera.screen import progress
from tessera.stack.cloud import Cloud

LONGEST_KEY = 1024
"""Bytes of the longest key that S3 takes."""
_BY_HASH = re.compile(rf"([0-9a-f]{{{HASH_DIGITS}}})/.+", re.DOTALL)


def upload_pictures(cloud: Cloud, folder: Path, project: str) -> bytes:
    """Upload a folder's pictures to the inbox, and return a manifest of them.

    Content that the project's pictures in the inbox have already is not uploaded again, so that
    an interrupted drop goes on where it was. What cannot be shown is left out, with a warning.
    Refused if no picture is left, or if one changes meanwhile.
    """
    prefix = f"{cloud.outputs['Inbox']}/images/{project}/"
    pictures = look_at_pictures(folder)
    uris = _pictures_by_content(cloud, prefix)
    missing: list[Picture] = []
    for picture in pictures:
        if picture.digest not in uris:  # the first of several alike gives them its name
            uris[picture.digest] = picture_uri(prefix, picture.digest, picture.name)
            missing.append(picture)
    _upload_all(cloud, missing, uris)
    refs = ({"source-ref": uris[picture.digest]} for picture in pictures)
    return ("\n".join(json.dumps(ref, ensure_ascii=False) for ref in refs) + "\n").encode()


def picture_uri(prefix: str, digest: str, name: str) -> str:
    """Return where a picture is put: by content, and readable by its name in the folder.

    A name too long for a key loses its folders.

    >>> picture_uri("s3://inbox/images/pets/", "4d3e", "may/tom.jpg")
    's3://inbox/images/pets/4d3e/may/tom.jpg'
    """
    uri = f"{prefix}{digest}/{name}"
    if len(split_uri(uri)[1].encode()) > LONGEST_KEY:
        return f"{prefix}{digest}/{PurePosixPath(name).name}"
    return uri


def digest_in(prefix: str, uri: str) -> str:
    """Return the content hash in the URI of a picture that was put under a prefix, or "" if none.

    >>> digest_in("s3://inbox/images/pets/", "s3://inbox/images/pets/" + "0f" * 16 + "/may/1.jpg")
    '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'
    """
    match = _BY_HASH.fullmatch(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
    return match[1] if match else ""


def _pictures_by_content(cloud: Cloud, prefix: str) -> dict[str, str]:
    """Return the URIs of a project's pictures in the inbox by content hash.

    Of several with the same content it is the first in S3's order, at every call.
    """
    uris: dict[str, str] = {}
    for uri in cloud.storage.list_uris(prefix):
        if digest := digest_in(prefix, uri):
            uris.setdefault(digest, uri)
    return uris


def _upload_all(cloud: Cloud, pictures: list[Picture], uris: dict[str, str]) -> None:
    """Upload pictures to their URIs, which are by content hash."""

    def upload(picture: Picture) -> None:
        content = picture.path.read_bytes()
        # The key promises this content for good, so what is put is hashed, not what was read first.
        if content_hash(content) != picture.digest:
            raise Refused(
                f"{picture.path} changed while the folder was uploaded. Drop the folder again; "
                "what has been uploaded is not uploaded twice."
            )
        cloud.storage.put(uris[picture.digest], content, content_type=picture.media_type)

    with progress("pictures uploaded", len(pictures)) as advance:
        for _ in in_order(upload, pictures):
            advance(1)
