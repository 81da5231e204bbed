"""Instructions and examples that lie beside a manifest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.onboarding.instructions import (
    MOST_EXAMPLES,
    examples_in_markdown,
    with_instructions,
)
from tessera.tiling.run.run_record import find_settings
from tessera.tiling.settings import LONGEST_INSTRUCTIONS, read_settings
from tests.fakes import Files

FOLDER = "s3://inbox/pets/"
SETTINGS = read_settings(b'{"labels": ["cat", "dog"]}')


def beside(**contents: bytes) -> Files:
    """A bucket with these files beside the manifest; `__` stands for a slash, `_dot_` for a dot."""
    files = Files()
    for name, content in contents.items():
        files.put(FOLDER + name.replace("__", "/").replace("_dot_", "."), content)
    return files


def test_without_anything_beside_the_manifest_the_settings_stay_as_they_are() -> None:
    assert with_instructions(SETTINGS, Files(), FOLDER) is SETTINGS
    own = read_settings(b'{"labels": ["cat", "dog"], "instructions": "Look twice. "}')
    assert with_instructions(own, Files(), FOLDER) is own


def test_a_text_beside_the_manifest_is_used_where_the_settings_have_none() -> None:
    files = beside(instructions_dot_md="\ufeffName the *animal*.\n".encode())
    assert with_instructions(SETTINGS, files, FOLDER).instructions == "Name the *animal*."
    own = read_settings(b'{"labels": ["cat", "dog"], "instructions": "Look twice."}')
    assert with_instructions(own, files, FOLDER).instructions == "Look twice."


def test_settings_are_found_with_their_instructions() -> None:
    files = beside(
        labeling_dot_json=b'{"labels": ["cat", "dog"]}',
        instructions_dot_md=b"Look.",
        examples__cat__1_dot_png=b"",
    )
    manifest = {"bucket": "inbox", "key": "pets/may.manifest"}
    text = find_settings(files, manifest, "").instructions
    assert text.startswith("Look.\n\n# Examples")
    by_default = find_settings(
        beside(instructions_dot_md=b"Look."), manifest, '{"labels":["a","b"]}'
    )
    assert by_default.instructions == "Look."


def test_examples_stand_by_label_right_before_wrong() -> None:
    names = ["dog/wrong 2.webp", "cat/a.jpg", "dog/1.JPG", "cat/bad/b.png", "cat/badger.gif.txt"]
    assert examples_in_markdown(f"examples/{name}" for name in names).split("\n\n") == [
        "# Examples",
        "## dog",
        "Right: ![dog](<examples/dog/1.JPG>)",
        "Wrong: ![not dog](<examples/dog/wrong 2.webp>)",
        "## cat",
        "Right: ![cat](<examples/cat/a.jpg>)",
        "Wrong: ![not cat](<examples/cat/bad/b.png>)",
    ]


@given(st.lists(st.text(max_size=20), max_size=8))
def test_no_names_are_too_odd(names: list[str]) -> None:
    text = examples_in_markdown(f"examples/{name}" for name in names)
    assert text == "" or text.startswith("# Examples")


def test_more_examples_than_anybody_looks_at_are_left_out() -> None:
    names = [f"examples/cat/{number}.jpg" for number in range(MOST_EXAMPLES + 9)]
    assert examples_in_markdown(names).count("![") == MOST_EXAMPLES


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "save it as UTF-8"), (b"x" * (LONGEST_INSTRUCTIONS + 1), "at most 20,000")],
)
def test_instructions_that_cannot_be_used_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(SettingsInvalid, match=reason):
        with_instructions(SETTINGS, beside(instructions_dot_md=content), FOLDER)
