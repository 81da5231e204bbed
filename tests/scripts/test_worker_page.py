"""The worker's page that ships is the one its sources make."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.worker_page import LIQUID, PAGES, SOURCES, UI, assemble, sources_hash

FOLDERS = [UI / kind for kind in PAGES]
SCRIPTS = sorted(path for folder in FOLDERS for path in folder.rglob("*.js"))
STYLES = sorted(path for folder in FOLDERS for path in folder.rglob("*.css"))


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_built_of_its_sources(kind: str) -> None:
    built = (UI / f"{kind}.liquid.html").read_text(encoding="utf-8")
    assert f"({sources_hash(kind)})" in built, f"sources of ui/{kind} changed: run `make page`"


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != SOURCES])
def test_a_file_of_another_kind_stands_in_for_one_of_the_tiles_or_serves_one(folder: Path) -> None:
    scripts = "".join(path.read_text("utf-8") for path in folder.glob("script/*.js"))
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        place = path.relative_to(folder)
        is_imported = f'from "./{place.name}"' in scripts
        assert (SOURCES / place).is_file() or place.parts[0] == "styles" or is_imported


@pytest.mark.parametrize("source", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
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


LOOKALIKES = (
    *(" // ", "/*", "*/", "<!--", "-->", "\n    ", ", }", "\\1", "\\g<0>"),
    *("{;--ring:1px;}", "--ring", "--shadow:0;"),
    *("<style>", "</style>", "<!-- styles -->", "<!-- script -->"),
)
"""Texts that a rule for comments, styles, spaces or places to fill would take for its own."""
TEXTS = st.lists(st.text(max_size=6) | st.sampled_from(LOOKALIKES), max_size=6).map("".join)
FORMS = ("a='%s'", 'a="%s"', "a=`%s`", "a=/%s/g", "// %s\n", "/* %s */", "a--;b")
SCRIPTS_OF = st.builds(lambda form, text: form.replace("%s", text), st.sampled_from(FORMS), TEXTS)


@given(st.lists(SCRIPTS_OF, max_size=5).map(";".join), st.booleans())
def test_nothing_in_a_script_is_changed_when_its_page_is_made_small(
    script: str, uses_design: bool
) -> None:
    script += "set('--ring')" if uses_design else ""
    page = "<style>  :root { --a: 1; }\n<!-- styles -->\n</style><script><!-- script --></script>"
    styles = "p{--ring:1px;--shadow:0;--tone:2px;outline:var(--ring) var(--tone)}"

    built = assemble(page, styles, script)

    assert built.endswith(f"<script>{script}</script>")
    # What a script names is still there, under its name.
    if uses_design:
        assert "--ring:1px" in built.removesuffix(f"{script}</script>")
