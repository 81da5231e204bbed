"""Name the smaller copy of a picture that pages show, and find the picture that it is a copy of.

s3://inbox/images/pets/<hash>/may/tom.png               the original
s3://inbox/pages-2048/pets/<hash>/may/tom.png.jpg       its copy
"""

from __future__ import annotations

import re

from tessera.tiling.picture_keys import HASH, ORIGINALS

COPIES = "pages-2048/"
"""Folder of the inbox where the tool puts the smaller copies of pictures, by project. The number is
that of the pixels of a copy's longer side, so that another bound makes other copies."""
SHOWN_LARGE = ("jpg", "jpeg", "png", "webp")
"""Suffixes of originals that every browser shows; of others the zoom has the copy alone."""

# The project and the hash are the original's, so that a copy leads nowhere else.
_COPY = re.compile(
    rf"(s3://[^/]+/){COPIES}(.+/{HASH}/.+\.(?i:{'|'.join(SHOWN_LARGE)}))\.jpg", re.DOTALL
)


def copy_uri(original: str) -> str:
    """Return where the copy of a picture in the inbox lies that browsers show, too.

    >>> copy_uri("s3://inbox/images/pets/4d3e/tom.png")
    's3://inbox/pages-2048/pets/4d3e/tom.png.jpg'
    """
    bucket, _, key = original.removeprefix("s3://").partition("/")
    return f"s3://{bucket}/{COPIES}{key.removeprefix(ORIGINALS)}.jpg"


def original_uri(uri: str) -> str:
    """Return the picture that a page's picture is a smaller copy of; empty if there is none to see.

    >>> original_uri("s3://inbox/pages-2048/pets/" + "0f" * 16 + "/tom.png.jpg")
    's3://inbox/images/pets/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f/tom.png'
    >>> original_uri("s3://inbox/pages-2048/pets/" + "0f" * 16 + "/scan.jpg")
    ''
    """
    match = _COPY.fullmatch(uri)
    return f"{match[1]}{ORIGINALS}{match[2]}" if match else ""
