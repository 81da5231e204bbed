"""Which module may import which, and what a cold start must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "functions"
HANDLERS = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
CORE = sorted((FUNCTIONS / "tiling").rglob("*.py"))
PORTAL = sorted((FUNCTIONS / "portal").rglob("*.py"))
AWS = sorted((FUNCTIONS / "aws").rglob("*.py"))
TOOL = sorted((ROOT / "tessera").rglob("*.py"))
OURS = {"tiling", "portal", "aws", "tessera", *HANDLERS}
IMPURE = {"boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "os", "time", "random"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """The top-level names of everything that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def runtime_imports(path: Path) -> set[str]:
    """The same without what is imported for the type checker alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }


def modules_loaded_by(statement: str) -> set[str]:
    """The modules in memory after a statement in a fresh interpreter."""
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin", "POWERTOOLS_TRACE_DISABLED": "1", "LABELS_BUCKET": "labels"},
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_core_imports_only_itself_and_nothing_that_varies(path: Path) -> None:
    assert runtime_imports(path) & OURS <= {"tiling"}
    assert not runtime_imports(path) & IMPURE


@pytest.mark.parametrize("path", PORTAL, ids=name)
def test_the_portal_imports_the_core_but_no_aws(path: Path) -> None:
    assert runtime_imports(path) & OURS <= {"tiling", "portal"}
    assert not runtime_imports(path) & {"boto3", "botocore", "aws_lambda_powertools"}


@pytest.mark.parametrize("path", AWS, ids=name)
def test_the_door_to_aws_knows_nothing_of_labeling(path: Path) -> None:
    assert runtime_imports(path) & OURS <= {"aws", "portal"}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_imports_no_other_handler_and_not_the_tool(handler: str) -> None:
    assert runtime_imports(FUNCTIONS / f"{handler}.py") & OURS <= {"tiling", "portal", "aws"}


@pytest.mark.parametrize("path", [*CORE, *PORTAL, *AWS], ids=name)
def test_nothing_in_the_functions_imports_the_tool(path: Path) -> None:
    assert "tessera" not in imports(path)


@pytest.mark.parametrize("path", [*CORE, *PORTAL, *AWS, *TOOL], ids=name)
def test_no_module_is_named_for_what_it_is_not(path: Path) -> None:
    assert path.stem not in {"utils", "util", "common", "helpers", "misc", "main"}


@pytest.mark.parametrize(
    ("statement", "banned"),
    [
        ("import prepare_task", {"boto3", "botocore.session", "aws_xray_sdk", "numpy", "liquid"}),
        (
            "import collect_answers",
            {"boto3", "botocore.session", "aws_xray_sdk", "numpy", "liquid"},
        ),
        ("import group_images", {"boto3", "liquid"}),
        ("import tiling.settings, tiling.manifest, tiling.groups", {"boto3", "liquid"}),
        ("import serve_portal", {"numpy"}),
    ],
)
def test_a_cold_start_loads_nothing_that_the_worker_need_not_wait_for(
    statement: str, banned: set[str]
) -> None:
    assert not banned & modules_loaded_by(statement)


@pytest.mark.parametrize("handler", HANDLERS)
def test_importing_a_handler_makes_no_aws_client(handler: str) -> None:
    refuse = (
        "import sys, botocore.client as c; "
        "c.ClientCreator.create_client = lambda *a, **k: sys.exit('a client was made')"
    )
    modules_loaded_by(f"{refuse}; import {handler}")
