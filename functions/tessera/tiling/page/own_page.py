"""Find a project's own page: `page.liquid.html` beside its manifest."""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

import msgspec

from tessera.tiling.errors import PageUnusable
from tessera.tiling.settings import Settings

NAME = "page.liquid.html"
LONGEST_PAGE = 128_000
"""Characters of a page: Ground Truth's limit, so that a page goes to both services."""
DIGEST_LENGTH = 16
"""Hexadecimal digits, 64 bits, by which settings name a page: another page is another run."""


class Files(Protocol):
    """Stored objects as they are used here."""

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, or None if it does not exist."""


def with_page(settings: Settings, files: Files, folder: str) -> Settings:
    """Return the settings with the digest of the page in a manifest's folder, if there is one.

    Another page is another run, as other instructions are. `folder` is its URI with a slash at the
    end. Raises PageUnusable if a custom task has no page, or the page is no text or too long.
    """
    page = read_page(files, folder)
    if page is None and settings.is_custom:
        raise PageUnusable(
            f"there is no {folder}{NAME}, and a custom task is nothing but its page: put the "
            "template there, beside labeling.json, and drop the manifest again"
        )
    # Without a page there is none, whatever digest somebody wrote into the settings.
    digest = msgspec.UNSET if page is None else sha256(page.encode()).hexdigest()[:DIGEST_LENGTH]
    return settings if digest == settings.page else msgspec.structs.replace(settings, page=digest)


def read_page(files: Files, folder: str) -> str | None:
    """Return the page in a manifest's folder, or None; raises PageUnusable if it is none."""
    # Four bytes a character at most; one more tells that there are too many.
    content = files.get_up_to(folder + NAME, 4 * LONGEST_PAGE + 1)
    if content is None:
        return None
    try:
        page = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PageUnusable(f"{folder}{NAME} is not UTF-8 text: save it as UTF-8") from error
    if len(page) > LONGEST_PAGE:
        raise PageUnusable(
            f"{folder}{NAME} has more than {LONGEST_PAGE:,} characters; put pictures and scripts "
            "elsewhere"
        )
    return page
