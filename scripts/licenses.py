"""Licenses of what Lambda installs, out of its bill of materials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

SBOM = Path(__file__).resolve().parent.parent / "docs" / "sbom.cdx.json"


class Package(NamedTuple):
    """Package as Lambda gets it; each of its licenses is an SPDX expression, else a name."""

    name: str
    version: str
    licenses: tuple[str, ...]


def read_packages(sbom: Path = SBOM) -> list[Package]:
    """Read the packages of a CycloneDX bill of materials, in order of their names."""
    return sorted(
        Package(
            # The purl has the name as PyPI compares names: markupsafe for MarkupSafe.
            component["purl"].removeprefix("pkg:pypi/").partition("@")[0],
            component["version"],
            tuple(license_name(entry) for entry in component["licenses"]),
        )
        for component in json.loads(sbom.read_text("utf-8"))["components"]
    )


def license_name(entry: dict[str, Any]) -> str:
    """Return a license's SPDX expression or identifier, else the end of its classifier.

    >>> license_name({"license": {"name": "License :: OSI Approved :: BSD License"}})
    'BSD License'
    """
    if "expression" in entry:
        return str(entry["expression"])
    declared = entry["license"]
    return str(declared.get("id") or declared["name"].rpartition(" :: ")[2])


def license_table() -> str:
    """Return the packages with their licenses as a table in Markdown."""
    rows = ["| package | version | license |", "|---|---|---|"]
    for name, version, licenses in read_packages():
        link = f"[{name}](https://pypi.org/project/{name}/{version}/)"
        rows.append(f"| {link} | {version} | {', '.join(licenses)} |")
    return "\n".join(rows)
