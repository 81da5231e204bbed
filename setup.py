"""Build the wheel with all that a deployment takes from the checkout, beside the tool's modules.

Everything else that setuptools needs is in pyproject.toml. An editable installation has the
checkout itself, so nothing is copied for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = (
    "template.yaml", "monitoring.yaml", "samconfig.toml", "statemachine", "functions", "encoder",
    "ui", "examples", "events",
)  # fmt: skip
"""Files and folders that `tessera.stack.local_stack.ROOT` is expected to have."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", ".*")


class BuildWithDeployment(build_py):
    """Step that collects the wheel's files."""

    def run(self) -> None:
        """Collect the modules, and copy the deployment's parts into `tessera/deployment`."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "tessera", "deployment")
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        target.mkdir(parents=True)
        for part in map(Path, PARTS):
            if part.is_dir():
                shutil.copytree(part, target / part, ignore=LEFT_OUT)
            else:
                shutil.copy2(part, target / part)


setup(cmdclass={"build_py": BuildWithDeployment})
