"""Name the files that commands read and write: checked before any work begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

IN_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
"""Type of an option that names a file to read."""


class OutFile(click.Path):
    """Type of an option that names a file to write: its folder has to be there."""

    def __init__(self) -> None:
        """Take a path that is no folder."""
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; a usage error says what to do if nothing can be written there."""
        path = Path(str(super().convert(value, param, ctx)))
        folder = path.parent
        if not folder.is_dir():
            self.fail(f"There is no folder {folder}. Make it: mkdir -p {folder}", param, ctx)
        if not os.access(path if path.exists() else folder, os.W_OK):
            self.fail(f"{path} cannot be written. Name another file.", param, ctx)
        return path
