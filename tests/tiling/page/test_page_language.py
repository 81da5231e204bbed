"""A run's own language stands in its page, whole, and changes nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from tessera.portal.site import LANGUAGES
from tessera.tiling.errors import PageUnusable
from tessera.tiling.page.page import build_page, render_task
from tessera.tiling.page.page_language import language_script
from tessera.tiling.settings import Language, Settings

UI = Path(__file__).parents[3] / "ui"
TEMPLATE = (UI / "tiles.liquid.html").read_text("utf-8")


def run(**keys: str) -> Settings:
    """Make settings with these keys."""
    return Settings(
        labels=("cat", "dog"),
        question="Cat or dog?",
        instructions="",
        **keys,  # type: ignore[arg-type]  # a language
    )


def test_the_portal_and_the_settings_know_the_same_languages() -> None:
    assert get_args(Language) == LANGUAGES
    assert {f"{language}.json" for language in LANGUAGES} == {
        path.name for path in (UI / "languages").iterdir()
    }


def test_without_a_language_the_page_is_as_it_was() -> None:
    assert language_script(run(), UI) == ""
    assert "tesseraWords" not in build_page(TEMPLATE, run(), language=language_script(run(), UI))


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_renderings_leave_every_word_as_it_is(language: str) -> None:
    settings = run(language=language)
    script = language_script(settings, UI)
    html = render_task(build_page(TEMPLATE, settings, language=script), {"images": []}, str)
    assert f"<script>{script}\n" in html
    if language != "en":
        words = json.loads((UI / "languages" / f"{language}.json").read_text("utf-8"))
        assert json.dumps(words) in html
    assert len(html) < 128_000


def test_a_folder_of_pages_without_the_words_is_refused_with_what_to_do(tmp_path: Path) -> None:
    shutil.copy(UI / "tiles.liquid.html", tmp_path)
    with pytest.raises(PageUnusable, match=r"has no de\.json; copy it"):
        language_script(run(language="de"), tmp_path)
