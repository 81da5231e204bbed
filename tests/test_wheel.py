"""An installed wheel has what a deployment takes from the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from setuptools import Distribution

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of what the build collects for the wheel."""
    monkeypatch.chdir(ROOT)
    setup: dict[str, object] = {}
    monkeypatch.setattr("setuptools.setup", lambda **given: setup.update(given))
    exec(compile((ROOT / "setup.py").read_text("utf-8"), "setup.py", "exec"), {"__name__": "setup"})
    distribution = Distribution(setup)
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    command.build_lib = str(tmp_path)
    # The modules are setuptools' own affair (tests/test_packaging.py); here are the other files.
    command.packages, command.py_modules = [], []
    command.run()
    return tmp_path / "tessera" / "deployment"


def test_a_wheel_has_template_functions_pages_and_example(build: Path) -> None:
    for part in (
        "template.yaml", "monitoring.yaml", "samconfig.toml", "statemachine/labeling.asl.json",
        "functions/serve_portal.py", "functions/requirements.txt",
        "encoder/requirements.txt", "encoder/Makefile", "functions/tessera/encoders/block.py",
        "functions/tessera/tiling/settings.py", "ui/tiles.liquid.html", "ui/portal/portal.js",
        "ui/report.liquid.html", "examples/digits/digits.manifest", "events/environment.json",
    ):  # fmt: skip
        assert (build / part).read_bytes() == (ROOT / part).read_bytes()
    assert [path for path in build.rglob("*") if path.name == "__pycache__"] == []
