"""Name where the tool puts a project's pictures in the inbox: each under the hash of its content.

    s3://inbox/images/<project>/<hash>/<name in the folder>

So two pictures of one name are two objects, and one that is there is not put a second time
(docs/decisions/pictures-by-content.md). The smaller copies that pages show lie beside them, by the
same names (`tiling.page.page_copy`).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

ORIGINALS = "images/"
"""Folder of the inbox that has the pictures, by project."""
HASH_DIGITS = 32
"""Digits of a content's hash, which is of SHA-256: 128 bits, beyond any chance of two alike."""
HASH = rf"[0-9a-f]{{{HASH_DIGITS}}}"
"""Pattern of such a hash."""
LONGEST_KEY = 1024
"""Bytes of the longest key that S3 takes."""

_KEY = re.compile(rf"{ORIGINALS}.+/{HASH}/.+", re.DOTALL)
_BY_HASH = re.compile(rf"({HASH})/.+", re.DOTALL)


def pictures_of(inbox: str, project: str) -> str:
    """Return the folder of a project's pictures, as a URI.

    >>> pictures_of("s3://inbox", "pets/may")
    's3://inbox/images/pets/may/'
    """
    return f"{inbox.rstrip('/')}/{ORIGINALS}{project}/"


def is_picture_key(key: str) -> bool:
    """Return whether a key of the inbox is that of a picture by its content.

    >>> is_picture_key("images/pets/" + "0f" * 16 + "/may/1.tif"), is_picture_key("images/1.tif")
    (True, False)
    """
    return _KEY.fullmatch(key) is not None


def picture_uri(folder: str, digest: str, name: str) -> str:
    """Return where a picture is put: by content, and readable by its name in the folder.

    A name too long for a key loses its folders.

    >>> picture_uri("s3://inbox/images/pets/", "4d3e", "may/tom.jpg")
    's3://inbox/images/pets/4d3e/may/tom.jpg'
    """
    uri = f"{folder}{digest}/{name}"
    if is_key_too_long(uri):
        return f"{folder}{digest}/{PurePosixPath(name).name}"
    return uri


def is_key_too_long(uri: str) -> bool:
    """Return whether S3 takes no object at a URI, because its key is too long."""
    return len(uri.removeprefix("s3://").partition("/")[2].encode()) > LONGEST_KEY


def digest_in(folder: str, uri: str) -> str:
    """Return the content hash in the URI of a picture that was put into a folder, or "" if none.

    >>> digest_in("s3://inbox/images/pets/", "s3://inbox/images/pets/" + "0f" * 16 + "/may/1.jpg")
    '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'
    """
    match = _BY_HASH.fullmatch(uri.removeprefix(folder)) if uri.startswith(folder) else None
    return match[1] if match else ""
