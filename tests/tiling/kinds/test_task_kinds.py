"""One list of kinds of task is what settings take, pages are built of, and documentation names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from scripts.worker_page import PAGES
from tessera.tiling.kinds.kind_runs import KIND_RUNS
from tessera.tiling.kinds.task_kinds import KINDS
from tessera.tiling.page.page import page_unusable
from tessera.tiling.settings import BOX_KINDS, TaskKind

ROOT = Path(__file__).parents[3]
STACK_FILES = {kind.page for kind in KINDS.values() if kind.page}


def test_every_kind_that_the_settings_take_has_a_rule_and_a_page_or_the_projects_own() -> None:
    assert tuple(KINDS) == get_args(TaskKind)
    assert KIND_RUNS.keys() <= KINDS.keys()
    assert {name for name, kind in KINDS.items() if not kind.page} == {"custom"}
    assert {name for name, kind in KINDS.items() if kind.page == KINDS["boxes"].page} == {
        *BOX_KINDS
    }


def test_the_pages_that_are_built_are_those_of_the_kinds() -> None:
    assert {f"{name}.liquid.html" for name in PAGES} == STACK_FILES
    assert all((ROOT / "ui" / name).is_file() for name in STACK_FILES)


def test_the_documentation_names_every_kind() -> None:
    manifests = (ROOT / "docs" / "manifests.md").read_text("utf-8")
    row = re.search(r"^\| `task` \|.*$", manifests, re.MULTILINE)
    assert row is not None
    assert all(f"`{name}`:" in row[0] or f"`{name}` " in row[0] for name in KINDS)


@pytest.mark.parametrize("file", [*sorted(STACK_FILES), ""])
def test_a_page_that_fails_is_refused_under_the_name_of_its_own_file(file: str) -> None:
    sentence = str(page_unusable(ValueError("no such filter"), file))
    assert sentence.startswith(file or "page.liquid.html of this project")
    assert "no such filter" in sentence
