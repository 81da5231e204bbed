"""Script by which a worker's page speaks its job's language instead of the browser's."""

from __future__ import annotations

import json
from pathlib import Path

from tessera.tiling.errors import PageUnusable
from tessera.tiling.settings import Settings


def language_script(settings: Settings, ui: Path) -> str:
    """Return the script of the settings' language; empty where the browser's own is wanted.

    `ui` is the folder of the pages, with the words of each language. The portal puts what reads
    them into every page; a page has it here, too, for Ground Truth, which does not
    (docs/decisions/page-languages.md). Raises PageUnusable where the folder has no such words.
    """
    if not settings.language:
        return ""
    if settings.language == "en":  # as the page is written; in the portal nothing else is put in
        return "window.tesseraWords = null;"
    try:
        words = json.loads((ui / "languages" / f"{settings.language}.json").read_text("utf-8"))
        speaker = (ui / "portal" / "words.js").read_text("utf-8")
    except FileNotFoundError as error:
        raise PageUnusable(
            f"language: the stack's folder of pages has no {Path(error.filename).name}; copy it "
            "from Tessera's ui folder and deploy again, or take `language` out of labeling.json"
        ) from error
    return f"window.tesseraWords = {json.dumps(words)};\n{speaker}"
