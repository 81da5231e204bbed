"""A file is written in one step: a full disk leaves what was there, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera.cli import main
from tessera.whole_file import whole, write_whole
from tests.tessera.conftest import png


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_file_that_has_no_room_leaves_nothing_that_takes_room(
    tmp_path: Path, is_begun: bool
) -> None:
    def fill(target: Path) -> None:
        with whole(target) as part:
            if is_begun:
                part.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "train-000000.tar"
    target.write_bytes(b"an earlier one")
    with pytest.raises(OSError, match="No space"):
        fill(target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"an earlier one"

    with whole(target) as part:
        part.write_bytes(b"all of it")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"all of it"


def test_a_file_stays_the_one_that_others_have_by_a_link_and_by_its_rights(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, b"after")
    assert link.is_symlink()
    assert file.read_bytes() == b"after"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1))
def test_a_file_may_have_any_name(name: str) -> None:
    assume(name not in (".", "..") and len(name.encode()) <= LONGEST_NAME)
    with TemporaryDirectory() as folder:
        long = name * (LONGEST_NAME // len(name.encode()))
        for each in (name, long):
            write_whole(Path(folder, each), b"content")
        assert set(os.listdir(folder)) == {name, long}


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/dev/null"])
@pytest.mark.parametrize("to_file", [False, True])
def test_a_device_is_written_as_it_is(name: str, to_file: bool, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tessera.whole_file import write_whole
write_whole(Path({name!r}), b"content")"""
    command = [sys.executable, "-c", script]
    if to_file:
        with (tmp_path / "out").open("wb") as file:
            subprocess.run(command, stdout=file, check=True)
        written = (tmp_path / "out").read_bytes()
    else:
        written = subprocess.run(command, capture_output=True, check=True).stdout
    assert written == (b"" if name == "/dev/null" else b"content")
    assert Path(name).exists()


LONGEST_NAME = 255
"""Bytes of the longest name that file systems take."""
WRITERS = {
    "manifest": "manifest pets --at s3://pets/p --out {}",
    "preview": "preview --images pets --labels cat,dog --out {}",
    "import": "import --csv list.csv --out {}",
    "consolidate": "consolidate answers.csv --out {}",
}


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("existed", [False, True])
def test_a_command_without_room_leaves_the_file_that_was_there(
    words: str, existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole(tmp_path / "pets" / "1.png", png(4, 4))
    Path("list.csv").write_text("image,label\npets/1.png,cat\n")
    Path("answers.csv").write_text("task,worker,label\n1,ann,cat\n1,ben,cat\n")
    if existed:
        Path("out.file").write_bytes(b"before")
    before = sorted(os.listdir())
    command = ["--home", str(tmp_path / "home"), *words.format("out.file").split()]
    call = partial(CliRunner().invoke, main, command)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tessera.whole_file.os.replace", full)
    refused = call()
    assert "The disk is full" in refused.output
    assert sorted(os.listdir()) == before
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    assert call().exit_code == 0
    assert Path("out.file").read_bytes() not in (b"", b"before")
