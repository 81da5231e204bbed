"""Files that start the portal with the machine are ones that systemd and Docker read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tessera.cli import main
from tessera.stack.service_file import quoted, unit_file

ROOT = Path(__file__).parents[3]
AT_BOOT = ROOT / "examples" / "at-boot"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_takes_the_unit_that_serve_prints(tmp_path: Path) -> None:
    home = tmp_path / "50% of $it"
    words = ["--home", str(home), "--port", "4599", "serve", "--unit", "--host", "labels.test"]
    printed = CliRunner().invoke(main, words)
    assert printed.exit_code == 0, printed.output
    unit = tmp_path / "tessera.service"
    unit.write_text(printed.output)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"{sys.executable}" "-m" "tessera" "--port" "4599"' in printed.output


def unquoted(text: str) -> str:
    """A word as systemd reads it, by the rules of systemd.service(5)."""
    inner = text[1:-1].replace("%%", "%").replace("$$", "$")
    return inner.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=30))
def test_a_word_is_read_back_as_it_was(word: str) -> None:
    if "%%" not in word and "$$" not in word:  # the reader above takes each pair for one
        assert unquoted(quoted(word)) == word
    assert len(unit_file([word], "tessera").splitlines()) == len(unit_file([], "x").splitlines())


def test_the_compose_file_serves_the_portal_alone_and_starts_again() -> None:
    compose = yaml.safe_load((AT_BOOT / "compose.yaml").read_text())
    portal = compose["services"]["portal"]
    assert portal["ports"] == ["8443:8443"]
    assert portal["restart"] == "unless-stopped"
    assert (AT_BOOT / portal["build"]["context"] / portal["build"]["dockerfile"]).exists()
    command, *options = portal["command"]
    serve = main.get_command(click.Context(main), command)
    assert serve is not None
    serve.make_context(command, options)
    dockerfile = (AT_BOOT / "Dockerfile").read_text()
    for source in ("sam-requirements.txt", "constraints.txt"):
        assert source in dockerfile
        assert (ROOT / source).exists()
