"""What an installation of the tool brings: one package, with the functions' packages in it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from setuptools import find_packages

ROOT = Path(__file__).resolve().parent.parent


def packages() -> set[str]:
    """The packages that the wheel has, as setuptools finds them by pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    find = project["tool"]["setuptools"]["packages"]["find"]
    assert find.pop("namespaces") is False
    return set(find_packages(str(ROOT), **find))


def test_an_installation_brings_tessera_and_nothing_beside_it() -> None:
    assert {name.partition(".")[0] for name in packages()} == {"tessera"}


def test_the_functions_packages_are_installed_within_it() -> None:
    assert {"tessera.tiling", "tessera.portal", "tessera.aws", "tessera.encoders"} <= packages()


def test_no_folder_with_modules_is_left_out() -> None:
    folders = (
        Path(folder).relative_to(ROOT)
        for folder, _, files in os.walk(ROOT / "tessera", followlinks=True)
        if any(name.endswith(".py") for name in files)
    )
    assert {".".join(folder.parts) for folder in folders} == packages()


def pins(name: str) -> dict[str, str]:
    """The versions of a file of requirements, by package."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    wanted = (line.partition(";")[0].strip() for line in lines if line and line[0] != "#")
    return dict(line.split("==") for line in wanted)


def test_the_sam_cli_is_pinned_as_asked_for_and_its_linter_is_apart() -> None:
    everything, linter = pins("sam-requirements.txt"), pins("sam-lint-requirements.txt")
    assert pins("sam-requirements.in").items() <= everything.items()
    assert linter.keys() == {"cfn-lint"}
    assert not {"cfn-lint", "sympy", "networkx"} & everything.keys()
