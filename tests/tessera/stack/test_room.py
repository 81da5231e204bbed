"""A full disk is named, with what to do, by whatever writes to it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tessera.cli import explain, main
from tessera.runs.display import status_line
from tessera.runs.status import RunStatus
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LocalStack
from tessera.stack.room import RESERVE, disk_notice


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns, as far as it is looked at."""

    free: int


@given(free=st.integers(0, 3 * RESERVE))
def test_a_disk_without_room_is_named_with_what_to_do(free: int) -> None:
    home = Path("/data/my labels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Usage(free))
        notice = disk_notice(home)
        assert bool(notice) == (free < RESERVE)
        assert not notice or "df -h '/data/my labels'" in notice
        assert Cloud(home=home).trouble == notice
    assert not Cloud().trouble


def test_a_folder_that_is_not_there_is_no_full_disk(tmp_path: Path) -> None:
    assert not disk_notice(tmp_path / "none")
    assert LocalStack(tmp_path).cloud.home == tmp_path


def test_the_progress_of_a_run_says_why_nothing_goes_on() -> None:
    running = RunStatus("pets", "RUNNING", "LabelShards", 1, trouble="the disk is full")
    assert status_line(running) == "the disk is full"
    ended = RunStatus("pets", "SUCCEEDED", "Done", 1, trouble="the disk is full")
    assert status_line(ended) != "the disk is full"


def test_a_refusal_of_the_stack_is_its_sentence_alone() -> None:
    answer: Any = {"Error": {"Code": "InsufficientStorage", "Message": "The disk is full."}}
    assert explain(ClientError(answer, "PutObject")).message == "The disk is full."


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["", "/data/my labels/train.csv"])
def test_a_command_whose_results_have_no_room_says_so(
    monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    @click.command()
    def full() -> None:
        """Write to a disk that is full."""
        raise OSError(code, "No space left on device", *([name] if name else []))

    monkeypatch.setattr(main, "get_command", lambda *_: full)
    monkeypatch.setattr(main, "resolve_command", lambda _, args: ("full", full, args[1:]))
    result = CliRunner().invoke(main, ["full"])
    assert result.exit_code == 1
    assert "is full" in result.output
    assert "repeat the command" in result.output
    assert ("df -h '/data/my labels'" in result.output) == bool(name)
