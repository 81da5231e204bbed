"""What Lambda installs is pinned, hashed, licensed and listed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from scripts.licenses import Package, read_packages

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "functions" / "requirements.txt"
WANTED = REQUIREMENTS.with_suffix(".in")
PACKAGES = read_packages()
FREE = {"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "PSF-2.0", "0BSD", "Zlib"}
FREE |= {"CC0-1.0", "MIT-0", "Apache Software License", "BSD License"}
NATIVE = {"markupsafe", "msgspec", "numpy", "wrapt"}
"""Packages with a wheel for each processor."""


def pins(path: Path) -> dict[str, str]:
    """The version of each package that a requirements file names."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))


def test_what_is_wanted_is_pinned_as_wanted() -> None:
    assert pins(WANTED).items() <= pins(REQUIREMENTS).items()


def test_lambda_and_the_tool_run_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tool = dict(re.findall(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+?)'", str(project["dependencies"])))
    wanted = pins(WANTED)
    assert {name: tool[name] for name in wanted if name in tool} == {
        name: version for name, version in wanted.items() if name in tool
    }
    assert not wanted.keys() - tool.keys() - {"botocore", "aws-xray-sdk"}  # these two come along


def test_what_embeds_pictures_is_pinned_and_the_same_here_and_in_lambda() -> None:
    wanted = pins(ROOT / "encoder" / "requirements.in")
    assert pins(ROOT / "encoder" / "requirements.txt") == wanted
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(f'"{name}=={version}"' in project for name, version in wanted.items())
    licenses = (ROOT / "docs" / "licenses.md").read_text("utf-8")
    assert all(f"{name}/{version}/" in licenses for name, version in wanted.items())


@pytest.mark.parametrize("name", pins(REQUIREMENTS))
def test_a_package_has_the_hashes_of_its_wheels_for_both_processors(name: str) -> None:
    text = REQUIREMENTS.read_text("utf-8").replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name}=="))
    assert line.count("--hash=sha256:") >= (2 if name in NATIVE else 1)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_has_licenses_that_let_one_ship_it(package: Package) -> None:
    assert package.licenses
    for expression in package.licenses:
        assert set(re.split(" AND | OR ", expression)) <= FREE


def test_the_bill_of_materials_lists_what_is_pinned() -> None:
    assert {package.name: package.version for package in PACKAGES} == pins(REQUIREMENTS)
