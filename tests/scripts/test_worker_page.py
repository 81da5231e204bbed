"""The worker's page that ships is the one its sources make."""

from pathlib import Path

import pytest

from scripts.worker_page import LIQUID, PAGE, SOURCES, sources_hash

SCRIPTS = sorted(SOURCES.rglob("*.js"))


def test_the_page_is_built_of_its_sources() -> None:
    built = PAGE.read_text(encoding="utf-8")
    assert f"({sources_hash()})" in built, "ui/tiles has changed: run `make page`"


@pytest.mark.parametrize("source", [*SCRIPTS, *SOURCES.rglob("*.css")], ids=lambda path: path.name)
def test_no_line_of_the_sources_is_longer_than_a_hundred_characters(source: Path) -> None:
    assert all(len(line) <= 100 for line in source.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("source", SCRIPTS, ids=lambda path: path.name)
def test_every_module_of_the_script_says_what_it_is_and_stays_small(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert text.startswith("/**")
    assert len(text.splitlines()) <= 200


@pytest.mark.parametrize("text", ["[[1,2]]", "[%", "{{a:1}}", "{%"])
def test_a_script_that_liquid_would_read_as_its_own_is_found(text: str) -> None:
    assert LIQUID.search(f"a={text}")
