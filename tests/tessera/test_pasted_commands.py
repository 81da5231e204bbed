"""Commands that messages name work on the stack that they are about, so none is spelled out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tessera.cli import COMMANDS
from tests.test_imports import ROOT, TOOL, name

SPELLED = re.compile(rf"\btessera (?:{'|'.join(COMMANDS)})\b")
ALONE = {
    "tessera/cli.py": {"status"},  # a hint, in which the command is put that works there
    "tessera/commands/completion.py": {"completion"},
    "tessera/commands/group.py": {"embed"},
    "tessera/picture_types.py": {"drop"},
    "tessera/runs/checks.py": {"drop"},
    "tessera/stack/cloud.py": {"up"},  # where no stack is named
}
"""Commands that are spelled in a module, for they need no stack or are called by what they do."""


def in_messages(path: Path) -> set[str]:
    """The commands that texts of a module spell out, docstrings and the help of options aside."""
    tree = ast.parse(path.read_text("utf-8"))
    aside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("help", "short_help"):
            aside |= {id(part) for part in ast.walk(node)}
    texts = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in aside
    )
    spelled = (SPELLED.findall(text) for text in texts if isinstance(text, str))
    return {each.partition(" ")[2] for commands in spelled for each in commands}


@pytest.mark.parametrize("path", TOOL, ids=name)
def test_a_message_names_commands_by_the_stack_that_they_work_on(path: Path) -> None:
    assert in_messages(path) == ALONE.get(str(path.relative_to(ROOT)), set())
