"""The suite's own rules: a test passes whatever else is called for beside it."""

from __future__ import annotations

from itertools import permutations

import pytest

pytest_plugins = ["pytester"]

TREE = {
    "suite/conftest": "from tests.conftest import pytest_make_collect_report",
    "suite/test_above": "def test_above(): pass",
    "suite/inner/conftest": "import pytest\n@pytest.fixture\ndef place(): return 1",
    "suite/inner/test_near": "def test_near(place): pass",
    "suite/inner/deep/test_far": "def test_far(place): pass",
}
FILES = [f"{name}.py" for name in TREE if "test_" in name]


@pytest.mark.parametrize("files", [*permutations(FILES)], ids=lambda files: " ".join(files))
def test_a_folder_has_its_fixtures_in_whatever_order_its_files_are_called_for(
    pytester: pytest.Pytester, files: tuple[str, ...]
) -> None:
    for name, text in TREE.items():
        path = pytester.path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ran = pytester.runpytest_inprocess("--import-mode=importlib", *files)
    ran.assert_outcomes(passed=3)
