"""Instructions and examples on this machine are those that the run will have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tessera.exits import Refused
from tessera.picture_folder import walk_pictures
from tessera.runs.instructions import settings_beside, upload_instructions
from tessera.tiling.onboarding.instructions import with_instructions
from tessera.tiling.settings import read_settings
from tests.fakes import Files
from tests.tessera.conftest import png

SETTINGS = read_settings(b'{"labels": ["cat", "dog"]}')
CONTENTS = {
    "instructions.md": b"Look at the *ears*.",
    "examples/cat/1.png": png(1, 1),
    "examples/cat/bad/2.png": png(2, 2),
    "examples/notes.txt": b"not for workers",
    "one.png": png(3, 3),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture to label, instructions and examples."""
    for name, content in CONTENTS.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "pets"


class Cloud:
    """A stack of which only the inbox is asked."""

    def __init__(self) -> None:
        self.storage, self.outputs = Files(), {"Inbox": "s3://inbox"}


def test_a_folder_says_the_same_here_and_in_the_inbox(folder: Path) -> None:
    cloud: Any = Cloud()
    upload_instructions(cloud, folder, "pets")
    assert cloud.storage.get("s3://inbox/pets/instructions.md") == CONTENTS["instructions.md"]
    in_inbox = with_instructions(SETTINGS, cloud.storage, "s3://inbox/pets/")
    assert settings_beside(SETTINGS, folder) == in_inbox
    assert in_inbox.instructions.count("![") == 2


def test_a_folder_without_instructions_changes_and_uploads_nothing(tmp_path: Path) -> None:
    cloud: Any = Cloud()
    upload_instructions(cloud, tmp_path, "pets")
    assert cloud.storage.objects == {}
    assert settings_beside(SETTINGS, tmp_path) is SETTINGS


def test_examples_are_not_asked_about(folder: Path) -> None:
    assert walk_pictures(folder).names == ["one.png"]
    (folder / "instructions.md").unlink()  # then it is a folder like any other
    assert len(walk_pictures(folder).names) == 3


def test_instructions_that_cannot_be_used_are_refused_with_their_folder(folder: Path) -> None:
    (folder / "instructions.md").write_bytes(b"\xff")
    with pytest.raises(Refused, match="save it as UTF-8"):
        settings_beside(SETTINGS, folder)
