"""What Lambda installs is pinned, hashed, licensed and listed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from scripts import packages

ROOT = Path(__file__).resolve().parents[2]
PINS = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", packages.PINNED.read_text("utf-8"), re.MULTILINE))
WANTED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", packages.WANTED.read_text("utf-8"), re.MULTILINE))
LICENSES = dict(
    re.findall(r"^\| ([a-z0-9-]+) \| \S+ \| (.+?) \|", packages.LICENSES.read_text(), re.MULTILINE)
)
FREE = {"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "PSF-2.0", "0BSD", "Zlib"}
FREE |= {"CC0-1.0", "MIT-0"}
NATIVE = {"markupsafe", "msgspec", "numpy", "wrapt"}
"""Packages with a wheel for each processor."""


def test_what_is_wanted_is_pinned_as_wanted() -> None:
    assert WANTED.items() <= PINS.items()


def test_lambda_and_the_tool_run_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tool = dict(re.findall(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+?)'", str(project["dependencies"])))
    assert {name: tool[name] for name in WANTED if name in tool} == {
        name: version for name, version in WANTED.items() if name in tool
    }
    assert not WANTED.keys() - tool.keys() - {"botocore", "aws-xray-sdk"}  # these two come along


@pytest.mark.parametrize("name", PINS)
def test_a_package_has_its_hashes_for_both_processors(name: str) -> None:
    text = packages.PINNED.read_text("utf-8").replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name}=="))
    assert line.count("--hash=sha256:") == (2 if name in NATIVE else 1)


@pytest.mark.parametrize("name", PINS)
def test_a_package_has_a_license_that_lets_one_ship_it(name: str) -> None:
    needed = LICENSES[name].split(" AND ")
    assert all(set(one.split(" OR ")) & FREE for one in needed)


def test_the_bill_of_materials_lists_what_is_pinned() -> None:
    listed = json.loads(packages.SBOM.read_text("utf-8"))["components"]
    assert {entry["name"]: entry["version"] for entry in listed} == PINS
