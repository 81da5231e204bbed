"""Write the systemd unit that serves the portal from the machine's start on.

Why a unit of the user: docs/decisions/start-at-boot.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

UNIT = """\
# Written by {written_by}. Install it for the user who is signed in:
#   mkdir -p ~/.config/systemd/user
#   {written_by} > ~/.config/systemd/user/tessera.service
#   systemctl --user enable --now tessera.service
#   loginctl enable-linger      # so that it starts with the machine, before anybody signs in
[Unit]
Description=Tessera, where a team labels images

[Service]
WorkingDirectory={folder}
Environment={path}
ExecStart={command}
Restart=always
RestartSec=5
# The embedded AWS gets the same signal, and saves what it holds.
TimeoutStopSec=60

[Install]
WantedBy=default.target
"""


def unit_file(arguments: Iterable[str], written_by: str) -> str:
    """Return a unit that runs the tool with these arguments, by this environment's Python."""
    command = [sys.executable, "-m", "tessera", *arguments]
    return UNIT.format(
        written_by=written_by,
        folder=quoted(str(Path.cwd())).strip('"'),
        path=quoted(f"PATH={os.environ.get('PATH', os.defpath)}"),
        command=" ".join(map(quoted, command)),
    )


def quoted(word: str) -> str:
    r"""Return a word as systemd reads it back: in quotes, without specifiers or variables.

    >>> print(quoted('/home/ann/50% "of" $it'))
    "/home/ann/50%% \"of\" $$it"
    """
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'
