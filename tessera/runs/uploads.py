"""Upload the pictures of a folder to the inbox, each under the hash of its content.

A picture that the project has already, under whatever name, is neither uploaded nor asked again
(`tiling.picture_keys` says where they lie).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tessera.exits import Refused
from tessera.exports.dataset import ORIGINAL_KEY
from tessera.exports.pictures import in_order
from tessera.page_picture import make_page_picture
from tessera.picture_folder import Picture, content_hash, look_at_pictures
from tessera.screen import aside, progress
from tessera.stack.cloud import Cloud
from tessera.tiling.page.page_copy import COPIES, copy_uri, original_uri
from tessera.tiling.picture_keys import (
    HASH_DIGITS,
    digest_in,
    is_key_too_long,
    picture_uri,
    pictures_of,
)


def upload_pictures(
    cloud: Cloud,
    folder: Path,
    project: str,
    describe: Callable[[list[Picture]], Sequence[dict[str, Any]]] = lambda pictures: (
        [{}] * len(pictures)
    ),
    *,
    convert: bool = False,
) -> bytes:
    """Upload a folder's pictures to the inbox, and return a manifest of them.

    `describe` returns what else each picture's line says, before anything is uploaded.

    Content that the project's pictures in the inbox have already is not uploaded again, so that
    an interrupted drop goes on where it was. What cannot be shown is left out, with a warning; with
    `convert`, pages get a JPEG of what browsers do not show, and of what is very large.
    Refused if no picture is left, or if one changes meanwhile.
    """
    prefix = pictures_of(cloud.outputs["Inbox"], project)
    pictures = look_at_pictures(folder, convert=convert)
    more = describe(pictures)
    _count_copies(pictures)
    uris = pictures_by_content(cloud, prefix)
    missing: list[Picture] = []
    for picture in pictures:
        if picture.digest not in uris:  # the first of several alike gives them its name
            uris[picture.digest] = picture_uri(prefix, picture.digest, picture.name)
            missing.append(picture)
    _upload_all(cloud, missing, uris)
    pages = _upload_page_pictures(cloud, project, [one for one in pictures if one.needs_page], uris)
    refs = (
        _reference(uris[picture.digest], pages.get(picture.digest)) | keys
        for picture, keys in zip(pictures, more, strict=True)
    )
    return ("\n".join(json.dumps(ref, ensure_ascii=False) for ref in refs) + "\n").encode()


def _count_copies(pictures: Sequence[Picture]) -> None:
    """Say how many pictures are copies, or the numbers looked at and uploaded would not agree."""
    contents = len({picture.digest for picture in pictures})
    if copies := len(pictures) - contents:
        noun = "picture is a copy" if copies == 1 else "pictures are copies"
        aside.print(f"{copies:,} {noun} of others here, by content: {contents:,} are different.")


def _reference(uri: str, page: str | None) -> dict[str, Any]:
    """Return the keys of a picture's line: what the page shows and, if that is made, of what."""
    return {"source-ref": page, ORIGINAL_KEY: uri} if page else {"source-ref": uri}


def _upload_page_pictures(
    cloud: Cloud, project: str, pictures: list[Picture], originals: dict[str, str]
) -> dict[str, str]:
    """Upload the JPEGs that pages show of these pictures; return their URIs by content hash.

    `originals` are the pictures' own URIs. The JPEGs lie beside the pictures, not among them, under
    the hash of what they are made of, so that each is made once.
    """
    base = f"{cloud.outputs['Inbox']}/{COPIES}{project}/"
    present = {uri.removeprefix(base)[:HASH_DIGITS]: uri for uri in cloud.storage.list_uris(base)}
    uris = {
        one.digest: present.get(one.digest) or _page_uri(base, one, originals[one.digest])
        for one in pictures
    }
    missing = {one.digest: one for one in pictures if one.digest not in present}

    def upload(picture: Picture) -> None:
        content = make_page_picture(picture.path.read_bytes())
        cloud.storage.put(uris[picture.digest], content, content_type="image/jpeg")

    with progress("pictures converted", len(missing)) as advance:
        for _ in in_order(upload, missing.values(), at_once=os.cpu_count() or 1):
            advance(1)
    return uris


def _page_uri(base: str, picture: Picture, original: str) -> str:
    """Return where the JPEG goes: named after the original if the zoom is to find that."""
    uri = copy_uri(original)
    if picture.in_zoom and original_uri(uri) and not is_key_too_long(uri):
        return uri
    # Without inner dots, by which scan.jpg.tif would be taken for the copy of a scan.jpg.
    stem = PurePosixPath(picture.name).stem
    named = picture_uri(base, picture.digest, f"{stem}.jpg")
    if not original_uri(named):
        return named
    return picture_uri(base, picture.digest, f"{stem.replace('.', '-')}.jpg")


def pictures_by_content(cloud: Cloud, prefix: str) -> dict[str, str]:
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
