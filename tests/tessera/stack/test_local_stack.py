"""Stopping the local stack: it may take its time, and what it holds is saved first."""

from __future__ import annotations

import builtins
import errno
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tessera.cli import main
from tessera.commands.down import down
from tessera.exits import Exit
from tessera.stack import local_stack as stack_module
from tessera.stack.local_stack import LocalStack, free_port
from tessera.stack.target import Target

SAVES_LATE = """
import pathlib, signal, sys, time
state = pathlib.Path(sys.argv[1])
def stop(*_):
    time.sleep(0.8)  # lets its callers go first, as the embedded AWS does
    (state / "first.json").write_text("1")
    time.sleep(0.2)  # a large file takes a while
    (state / "second.json").write_text("2")
    if sys.argv[2] == "stays":
        signal.pause()  # as a run that waits for workers keeps it
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.thorough
@pytest.mark.parametrize("then", ["goes", "stays"])
@pytest.mark.parametrize("before", [[], ["first.json"]])
def test_a_stack_that_saves_late_is_not_killed_before_it_has_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[str], then: str
) -> None:
    monkeypatch.setattr(stack_module, "SETTLED", 0.4)
    local = LocalStack(tmp_path, free_port())
    state = tmp_path / "state"
    state.mkdir()
    for name in before:
        (state / name).write_text("0")
        os.utime(state / name, (0, 0))  # saved long ago
    process = subprocess.Popen(
        [sys.executable, "-c", SAVES_LATE, str(state), then],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    process.stdout.readline()
    monkeypatch.setitem(stack_module._children, process.pid, process)
    (tmp_path / "aws.pid").write_text(str(process.pid))
    assert local.stop()
    process.stdout.close()
    assert [path.read_text() for path in sorted(state.glob("*"))] == ["1", "2"]
    assert process.wait() is not None


def test_a_process_that_took_over_the_number_of_a_stack_is_left_alone(tmp_path: Path) -> None:
    """After a power cut the file with the number is still there, and numbers come again."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "aws.pid").write_text(str(other.pid))
        stack = LocalStack(tmp_path, free_port())
        assert not stack.stop()
        assert stack.absence().startswith("The local stack is not running")
        assert other.poll() is None
        other.communicate()
    assert other.returncode != -signal.SIGTERM


def test_a_stack_that_runs_and_does_not_answer_is_not_called_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setitem(stack_module._children, process.pid, process)
        (tmp_path / "aws.pid").write_text(str(process.pid))
        sentence = LocalStack(tmp_path, 4999).absence()
        process.communicate()
    assert f"(process {process.pid}) does not answer at http://127.0.0.1:4999" in sentence
    way = f"tessera --port 4999 --home {tmp_path}"
    assert f"{way} down; {way} up" in sentence


def test_a_start_that_takes_too_long_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "PATIENCE", 0.05)
    stack = LocalStack(tmp_path, free_port())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setattr(LocalStack, "_launch", lambda *_: process)
        with pytest.raises(stack_module.StackError, match=r"still starting\. Try again.* up\. Or"):
            stack.start()
        process.communicate()


def test_where_nothing_runs_nothing_is_said_to_be_stopped(tmp_path: Path) -> None:
    target = Target(LocalStack(tmp_path, free_port()))
    done = CliRunner().invoke(down, [], obj=target)
    assert done.output == "The local stack is not running.\n"


@pytest.fixture
def never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has stacks start a program that ends at once."""
    monkeypatch.setattr(
        LocalStack, "_launch", lambda *_: subprocess.Popen([sys.executable, "-c", ""])
    )


@pytest.mark.usefixtures("never_ready")
def test_the_key_is_made_by_a_start_for_its_owner_alone_and_each_stack_has_its_own(
    tmp_path: Path,
) -> None:
    one, other = LocalStack(tmp_path / "one", free_port()), LocalStack(tmp_path / "2", free_port())
    for stack in (one, other, one):
        with pytest.raises(stack_module.StackError, match="did not start"):
            stack.start()
    assert one.credentials == LocalStack(tmp_path / "one").credentials
    assert one.credentials != other.credentials
    assert stat.S_IMODE(one.credentials_file.stat().st_mode) == 0o600
    assert not list(one.home.glob("credentials.*"))


def test_a_question_about_a_stack_that_never_ran_leaves_no_file_behind(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "none", free_port())
    assert not stack.cloud.trouble
    assert stack.absence()
    assert not stack.home.exists()


@pytest.mark.usefixtures("never_ready")
def test_a_disk_that_is_full_at_the_first_start_leaves_no_half_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = LocalStack(tmp_path / "full", free_port())
    real = builtins.open

    def full(file: Any, *args: Any, **options: Any) -> Any:
        opened = real(file, *args, **options)
        if isinstance(file, int):
            opened.close()
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(OSError, match="No space"):
        stack.start()
    monkeypatch.undo()
    assert not list(stack.home.glob("credentials*"))


def test_a_key_file_without_a_key_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    home.mkdir()
    (home / "credentials").touch()
    with pytest.raises(stack_module.StackError) as error:
        _ = LocalStack(home).cloud
    assert shlex.split(error.value.message)[-2:] == ["rm", str(home / "credentials")]


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The number of a process that is taken for an embedded AWS."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setitem(stack_module._children, process.pid, process)
        yield process.pid
        process.communicate()


def test_a_folder_whose_stack_runs_at_another_port_gets_no_second_one(
    tmp_path: Path, process: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalStack, "_launch", lambda *_: pytest.fail("a second one was started"))
    (tmp_path / "aws.pid").write_text(str(process))
    (tmp_path / "aws.port").write_text("4999")
    first, second = LocalStack(tmp_path, 4999), LocalStack(tmp_path, free_port())
    with pytest.raises(stack_module.StackError) as error:
        second.start()
    assert error.value.message == second.absence()
    assert f"tessera --port 4999 --home {tmp_path} status" in second.absence()
    assert first.elsewhere is None
    (tmp_path / "aws.pid").unlink()
    assert second.elsewhere is None


@pytest.mark.parametrize("words", ["status", "runs", "workers list", "watch"])
def test_a_stack_of_another_folder_is_named_as_that(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalStack, "is_up", lambda _: True)
    done = CliRunner().invoke(main, ["--home", str(tmp_path), *words.split()])
    assert done.exit_code == Exit.NOT_DEPLOYED
    assert f"another folder's, and not that of {tmp_path}" in done.output
    assert "--home FOLDER" in done.output
