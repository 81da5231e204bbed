"""One list of consolidation methods is what runs, is offered, is checked and is documented."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import pytest

from tessera.commands.consolidate import consolidate_command
from tessera.tiling.consensus import METHODS, Crowd, consolidate
from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.method_names import DEFAULT_METHOD, METHOD_NAMES, WEIGHING_METHODS, Method
from tessera.tiling.settings import settings_from, settings_schema

DOCS = Path(__file__).parents[2] / "docs"


def test_every_method_that_has_a_name_can_be_run() -> None:
    assert tuple(METHODS) == METHOD_NAMES == get_args(Method)


def test_settings_and_their_schema_take_the_methods_that_can_be_run() -> None:
    schema: Any = settings_schema()
    assert set(schema["properties"]["method"]["enum"]) == set(METHODS)
    assert settings_from({"labels": ["cat", "dog"]}).method == DEFAULT_METHOD


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_settings_let_seconds_weigh_answers_where_the_method_heeds_weights(method: Method) -> None:
    random = np.random.default_rng(1)
    image, worker = np.repeat(np.arange(200), 3), random.integers(0, 9, 600)
    answers = np.where(random.random(600) < 0.7, image % 3, random.integers(0, 3, 600))
    crowd = Crowd(200, 9, 3, image, worker, answers.astype(np.int16))
    weight = random.uniform(0.2, 1.5, 600).astype(np.float32)
    even, weighed = (
        consolidate(one, method).confidence for one in (crowd, replace(crowd, weight=weight))
    )
    heeds = not np.array_equal(even, weighed)
    assert heeds == (method in WEIGHING_METHODS)
    asked = {"labels": ["cat", "dog"], "method": method, "weigh_seconds": True}
    with nullcontext() if heeds else pytest.raises(SettingsInvalid, match="weighs no answers"):
        settings_from(asked)


def test_the_tool_offers_the_methods_that_can_be_run() -> None:
    option = next(one for one in consolidate_command.params if one.name == "method")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(METHODS)
    assert option.default == DEFAULT_METHOD


def test_the_documentation_has_a_row_for_each_method_that_can_be_run() -> None:
    section = (DOCS / "consolidation.md").read_text("utf-8").partition("## The methods\n")[2]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    assert re.findall(r"^\| `([a-z-]+)` \|", table[0], re.MULTILINE) == list(METHODS)
    row = re.search(r"^\| `method` \|.*$", (DOCS / "manifests.md").read_text("utf-8"), re.MULTILINE)
    assert row is not None
    assert all(f"`{name}`" in row[0] for name in METHODS)
