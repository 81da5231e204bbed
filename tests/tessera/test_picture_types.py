"""Types of pictures: one list that commands, exports, help and documentation share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.manifest import manifest_command
from tessera.picture_types import SHOWN, TYPES, is_shown, left_out, picture_type

PAGE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text("utf-8")
SPELLINGS = [(kind, suffix) for kind in TYPES for suffix in (kind.suffix, *kind.spellings)]


@given(st.sampled_from(SPELLINGS), st.text(max_size=20), st.data())
def test_a_name_tells_its_type_in_capitals_or_not(
    spelling: tuple[object, str], stem: str, data: st.DataObject
) -> None:
    kind, suffix = spelling
    cased = data.draw(st.sampled_from([suffix, suffix.upper(), suffix.title()]))
    assert picture_type(f"s3://pets/x{stem.replace('/', '')}.{cased}") == kind


@given(st.lists(st.sampled_from([suffix for _, suffix in SPELLINGS]) | st.just("txt")))
def test_every_picture_is_shown_or_counted_as_left_out(suffixes: list[str]) -> None:
    names = [f"{number}.{suffix}" for number, suffix in enumerate(suffixes)]
    unshown = sum(picture_type(name) is not None and not is_shown(name) for name in names)
    counted = [int(word) for word in " ".join(left_out(names)).split() if word.isdecimal()]
    assert sum(counted) == unshown


@pytest.mark.parametrize("suffix", SHOWN)
def test_help_and_documentation_name_every_type_that_can_be_labeled(suffix: str) -> None:
    assert suffix in str(manifest_command.help)
    assert f"`{suffix}`" in PAGE
