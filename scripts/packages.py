"""What Lambda installs: every package pinned with its hashes, its license, and a bill of materials.

`python -m scripts.packages` resolves `functions/requirements.in` for both processors and writes
`functions/requirements.txt`, `docs/licenses.md` and `docs/sbom.cdx.json`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WANTED = ROOT / "functions" / "requirements.in"
PINNED = ROOT / "functions" / "requirements.txt"
LICENSES = ROOT / "docs" / "licenses.md"
SBOM = ROOT / "docs" / "sbom.cdx.json"

PYTHON = "3.13"
GLIBC = range(34, 4, -1)
"""Lambda's python3.13 runs on glibc 2.34; wheels for an older one run there too."""
PROCESSORS = ("x86_64", "aarch64")
SPDX = {
    "Apache License 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
}
"""The SPDX names of licenses that packages still write in words."""


class Package(NamedTuple):
    """A package as Lambda gets it."""

    name: str
    version: str
    license: str
    home: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's name in a bill of materials."""
        return f"pkg:pypi/{self.name}@{self.version}"


def resolve() -> list[Package]:
    """Every package that the wanted ones need, with its wheels' hashes for both processors."""
    with tempfile.TemporaryDirectory() as folder:
        for processor in PROCESSORS:
            _download(processor, Path(folder))
        wheels = sorted(Path(folder).glob("*.whl"))
        found: dict[str, Package] = {}
        for wheel in wheels:
            package = _package(wheel)
            known = found.get(package.name)
            hashes = tuple(sorted({*package.hashes, *(known.hashes if known else ())}))
            found[package.name] = package._replace(hashes=hashes)
    return [found[name] for name in sorted(found)]


def _download(processor: str, folder: Path) -> None:
    platforms = [f"--platform=manylinux_2_{minor}_{processor}" for minor in GLIBC]
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--dest", str(folder), "--requirement", str(WANTED), "--only-binary=:all:",
            f"--python-version={PYTHON}", "--implementation=cp", "--abi=cp313", "--abi=abi3",
            "--abi=none", *platforms,
        ],
        check=True,
    )  # fmt: skip


def _package(wheel: Path) -> Package:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode("utf-8"))
    digest = sha256(wheel.read_bytes()).hexdigest()
    normal = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    return Package(normal, metadata["Version"], license_of(metadata), home_of(metadata), (digest,))


def license_of(metadata: Message) -> str:
    """The SPDX expression of a package's license, by what its metadata say in any of three ways."""
    classified = [
        str(line).rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if str(line).startswith("License :: OSI Approved :: ")
    ]
    said = metadata["License-Expression"] or metadata["License"] or (classified or ["unknown"])[0]
    first = str(said).strip().splitlines()[0]
    if len(first) > 40 and classified:
        first = classified[0]
    return SPDX.get(first, first)


def home_of(metadata: Message) -> str:
    """Where the package's source is kept."""
    links = [str(link).partition(", ") for link in metadata.get_all("Project-URL", [])]
    by_label = {label.lower(): address for label, _, address in links}
    for label in ("source", "source code", "code", "repository", "homepage"):
        if label in by_label:
            return by_label[label]
    return str(metadata["Home-page"] or next(iter(by_label.values()), ""))


def requirements(packages: list[Package]) -> Iterator[str]:
    """The lines of `requirements.txt`."""
    yield "# Written by `python -m scripts.packages` from requirements.in, for both processors."
    for package in packages:
        lines = [
            f"{package.name}=={package.version}",
            *(f"--hash=sha256:{h}" for h in package.hashes),
        ]
        yield " \\\n    ".join(lines)


def license_list(packages: list[Package]) -> Iterator[str]:
    """The lines of the license list."""
    yield "# Licenses\n"
    yield "Tessera is under Apache-2.0. What `sam build` puts beside it in Lambda:\n"
    yield "| package | version | license | source |\n|---|---|---|---|"
    for package in packages:
        yield f"| {package.name} | {package.version} | {package.license} | {package.home} |"
    yield "\nThe same as a CycloneDX bill of materials: [sbom.cdx.json](sbom.cdx.json)."


def bill(packages: list[Package]) -> dict[str, object]:
    """The bill of materials, the same bytes for the same packages."""
    components = [
        {
            "type": "library",
            "bom-ref": package.purl,
            "name": package.name,
            "version": package.version,
            "purl": package.purl,
            "licenses": [{"expression": package.license}],
            "externalReferences": [{"type": "vcs", "url": package.home}],
            "properties": [
                {"name": "tessera:wheel-sha256", "value": digest} for digest in package.hashes
            ],
        }
        for package in packages
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "tessera",
                "name": "tessera",
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": components,
        "dependencies": [{"ref": "tessera", "dependsOn": [package.purl for package in packages]}],
    }


def write() -> None:
    """Write all three files anew."""
    packages = resolve()
    PINNED.write_text("\n".join(requirements(packages)) + "\n", "utf-8")
    LICENSES.write_text("\n".join(license_list(packages)) + "\n", "utf-8")
    SBOM.write_text(json.dumps(bill(packages), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write()
