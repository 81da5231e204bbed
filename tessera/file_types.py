"""Name the files that commands read and write: checked before any work begins."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Any

import click


class InFile(click.Path):
    """Type of an option or argument that names a file to read, which no other one may write."""

    def __init__(self, *, dir_okay: bool = False) -> None:
        """Take a file that exists, or a folder, too."""
        super().__init__(path_type=Path, exists=True, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; a usage error if the command is to write there."""
        path = Path(str(super().convert(value, param, ctx)))
        _check_other_files(path, OutFile, param, ctx)
        return path


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
            self.fail(
                f"There is no folder {folder}. Make it: mkdir -p {quote(str(folder))}", param, ctx
            )
        if not os.access(path if path.exists() else folder, os.W_OK):
            self.fail(f"{path} cannot be written. Name another file.", param, ctx)
        _check_other_files(path, InFile, param, ctx)
        return path


def _check_other_files(
    path: Path, kind: type[click.Path], param: click.Parameter | None, ctx: Any
) -> None:
    """Raise a usage error if the file is one that the command has as the other kind.

    Options are read one after another, so that whichever comes second sees both.
    """
    if ctx is None or not path.exists():
        return
    for other in ctx.command.params:
        named = ctx.params.get(other.name)
        # Until click has come to an option, its value may be a mark of its own.
        is_file = isinstance(other.type, kind) and isinstance(named, str | os.PathLike)
        if not (is_file and Path(named).exists()):
            continue
        if os.path.samefile(path, named):
            text = f"{path} is read and would be written over. Name another file to write."
            raise click.BadParameter(text, ctx, param)


IN_FILE = InFile()
"""Type of an option that names a file to read."""
