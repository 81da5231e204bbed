"""Which module may import which, and what a cold start must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Set
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "functions"
HANDLERS = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
CORE = sorted((FUNCTIONS / "tessera" / "tiling").rglob("*.py"))
PORTAL = sorted((FUNCTIONS / "tessera" / "portal").rglob("*.py"))
AWS = sorted((FUNCTIONS / "tessera" / "aws").rglob("*.py"))
ENCODERS = sorted((FUNCTIONS / "tessera" / "encoders").rglob("*.py"))
IN_LAMBDA = [*CORE, *PORTAL, *AWS, *ENCODERS]
TOOL = sorted(
    path
    for path in (ROOT / "tessera").rglob("*.py")
    if path.relative_to(ROOT / "tessera").parts[0] not in {"tiling", "portal", "aws", "encoders"}
)
AMAZONS = {"boto3", "botocore", "aws_lambda_powertools"}
IMPURE = {*AMAZONS, "aws_xray_sdk", "os", "time", "random"}

ARROWS = {
    "errors": set(),
    "method_names": set(),
    "pseudo_random": set(),
    "encoding": set(),
    "csv_field": set(),
    "class_shares": set(),
    "consolidation_rules": set(),
    "live_control": set(),
    "picture_keys": set(),
    "settings": {"live_control", "class_shares", "encoding", "errors", "method_names"},
    "decisions": {"settings"},
    "estimate": {"settings"},
    "page": {"settings", "errors", "picture_keys"},
    "manifest": {"settings", "errors", "page.page_copy", "picture_keys"},
    "onboarding": {"settings", "errors", "manifest"},
    "run": {
        "settings",
        "errors",
        "method_names",
        "consolidation_rules",
        "estimate",
        "manifest",
        "onboarding",
        "page.own_page",
        "picture_keys",
    },
    "consensus": {"method_names", "class_shares", "consolidation_rules"},
    "workers": {"consensus", "method_names", "run"},
    "guesses": {"consensus", "errors", "manifest", "pseudo_random", "run.run_files", "settings"},
    "grouping": {
        "class_shares",
        "consensus",
        "csv_field",
        "errors",
        "manifest",
        "method_names",
        "page.page_choices",
        "pseudo_random",
        "run",
        "settings",
        "workers",
    },
    "answers": {"run", "consensus", "csv_field", "page.page_choices"},
    "training": {"run", "manifest", "settings", "consensus", "csv_field"},
    "report": {
        "live_control",
        "method_names",
        "onboarding.qualification",
        "run",
        "settings",
        "consensus",
        "guesses",
        "estimate",
        "answers.flags",
        "answers.table",
        "training.line_counts",
    },
    "judge_run": {"run", "manifest", "consensus", "guesses"},
    "label_run": {
        "answers",
        "class_shares",
        "consensus",
        "consolidation_rules",
        "decisions",
        "errors",
        "guesses",
        "judge_run",
        "manifest",
        "onboarding.qualification",
        "report",
        "run",
        "training",
        "workers",
    },
    "label_parts": {
        "label_run",
        "run",
        "settings",
        "manifest",
        "answers",
        "consensus",
        "training",
        "report",
    },
    "kinds": {
        "answers",
        "consensus",
        "consolidation_rules",
        "decisions",
        "errors",
        "grouping",
        "label_run",
        "manifest",
        "page",
        "report",
        "run",
        "settings",
        "training",
    },
    "ask_round": {
        "errors",
        "grouping",
        "guesses",
        "kinds",
        "manifest",
        "onboarding",
        "page",
        "report.metrics",
        "run",
        "settings",
        "workers",
    },
}
"""What each part of `tessera.tiling` may import of the others, all of which are named before it."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module(path: Path) -> str:
    """The dotted name under which a file of ours is imported."""
    root = FUNCTIONS if path.is_relative_to(FUNCTIONS) else ROOT
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache  # most tests here ask it of all files
def imported(path: Path, *, at_runtime: bool = True) -> frozenset[str]:
    """Everything that a file imports, wherever in it, as dotted names.

    `from a import b` counts as `a.b` where that is a module of ours, else as `a`; imports for the
    type checker count only without `at_runtime`.
    """
    tree = ast.parse(path.read_text("utf-8"))
    if at_runtime:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    return frozenset(_imports(tree))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


MODULES = {module(path) for path in [*IN_LAMBDA, *TOOL]}


def within(modules: Set[str], *packages: str) -> set[str]:
    """Those of the modules that are in one of the packages."""
    return {name for name in modules if any(f"{name}.".startswith(f"{p}.") for p in packages)}


def of_ours(path: Path) -> set[str]:
    return within(imported(path), "tessera", "scripts", "tests", *HANDLERS)


def third_parties(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


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


def beyond(paths: Iterable[Path], *packages: str) -> dict[str, set[str]]:
    """Imports of ours that lead outside some packages, by the file that has them."""
    imports = {name(path): of_ours(path) - within(of_ours(path), *packages) for path in paths}
    return {path: modules for path, modules in imports.items() if modules}


def having(paths: Iterable[Path], packages: Set[str]) -> dict[str, set[str]]:
    """Those of some third parties' packages that files import, by the file."""
    imports = {name(path): third_parties(path) & packages for path in paths}
    return {path: names for path, names in imports.items() if names}


def test_the_core_imports_only_itself_and_nothing_that_varies() -> None:
    assert beyond(CORE, "tessera.tiling") == {}
    assert having(CORE, IMPURE) == {}


def test_a_stage_of_the_flow_imports_what_is_below_it_and_no_other_stage() -> None:
    for path in CORE:
        parts = module(path).split(".")[2:]
        # tessera.tiling itself only tells the flow
        parts_allowed = {parts[0], *ARROWS[parts[0]]} if parts else set()
        assert beyond([path], *(f"tessera.tiling.{part}" for part in parts_allowed)) == {}


def test_the_parts_of_the_flow_make_no_circle() -> None:
    before: set[str] = set()
    for part, arrows in ARROWS.items():
        assert {arrow.partition(".")[0] for arrow in arrows} <= before, part
        before.add(part)


def test_the_portal_imports_the_core_but_no_aws() -> None:
    assert beyond(PORTAL, "tessera.tiling", "tessera.portal") == {}
    assert having(PORTAL, AMAZONS) == {}


def test_the_door_to_aws_knows_nothing_of_labeling_but_names_of_jobs_and_errors() -> None:
    names = ("tessera.tiling.errors", "tessera.tiling.run.job_names")
    assert beyond(AWS, "tessera.aws", "tessera.portal", *names) == {}


def test_encoders_import_the_core_but_no_aws() -> None:
    assert beyond(ENCODERS, "tessera.tiling", "tessera.encoders") == {}
    assert having(ENCODERS, AMAZONS) == {}


def test_only_the_handlers_read_the_environment() -> None:
    assert having([*CORE, *PORTAL, *AWS], {"os"}) == {}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_imports_no_other_handler_and_not_the_tool(handler: str) -> None:
    packages = ["tessera.tiling", "tessera.portal", "tessera.aws"]
    # whose packages the layer of this function alone has
    packages += ["tessera.encoders"] if handler == "embed_images" else []
    assert beyond([FUNCTIONS / f"{handler}.py"], *packages) == {}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_is_read_in_a_minute(handler: str) -> None:
    assert len((FUNCTIONS / f"{handler}.py").read_text("utf-8").splitlines()) <= 60


def test_the_tool_imports_nothing_that_only_developers_have() -> None:
    assert beyond(TOOL, "tessera") == {}


def test_only_the_command_line_and_commands_import_commands() -> None:
    """Whoever works with runs from Python needs no command."""
    library = [path for path in TOOL if path.parent.name != "commands" and path.stem != "cli"]
    assert [name(path) for path in library if within(imported(path), "tessera.commands")] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module(path): imported(path) & MODULES - {module(path)} for path in IN_LAMBDA + TOOL}
    assert list(TopologicalSorter(graph).static_order())


def test_each_modules_tests_are_where_its_path_or_the_list_of_homes_says() -> None:
    rows = (ROOT / "tests" / "homes.txt").read_text("utf-8").partition("\n\n")[2].splitlines()
    homes = dict(row.split(" | ") for row in rows)
    scripts = (ROOT / "scripts").glob("*.py")
    handlers = FUNCTIONS.glob("*.py")
    modules = [path for path in [*IN_LAMBDA, *TOOL, *scripts, *handlers] if path.stem[:2] != "__"]
    without = {name(path) for path in modules if not own_tests(path).exists()}
    assert without - set(homes) == set()
    assert [home for home in homes.values() if not (ROOT / home).exists()] == []


def own_tests(path: Path) -> Path:
    """Where a module's own tests are: its path, below tests/."""
    inner = path.relative_to(ROOT)
    if inner.is_relative_to("functions/tessera"):
        inner = inner.relative_to("functions/tessera")
    return ROOT / "tests" / inner.with_name(f"test_{path.name}")


def test_no_module_is_named_for_what_it_is_not() -> None:
    stems = {path.stem for path in [*IN_LAMBDA, *TOOL]}
    assert not stems & {"utils", "util", "common", "helpers", "misc", "main"}


@pytest.mark.parametrize("package", ["tiling", "portal", "aws", "encoders"])
def test_the_tool_has_the_functions_packages_by_links(package: str) -> None:
    link = ROOT / "tessera" / package
    assert link.is_symlink()
    assert link.resolve() == (FUNCTIONS / "tessera" / package).resolve()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("statement", "banned"),
    [
        ("import prepare_task", {"boto3", "botocore.session", "aws_xray_sdk", "numpy", "liquid"}),
        (
            "import collect_answers",
            {"boto3", "botocore.session", "aws_xray_sdk", "numpy", "liquid"},
        ),
        ("import group_images", {"boto3", "liquid"}),
        (
            "import tessera.tiling.settings, tessera.tiling.manifest.lines, "
            "tessera.tiling.grouping.first_round",
            {"boto3", "liquid"},
        ),
        ("import serve_portal", {"numpy"}),
    ],
)
def test_a_cold_start_loads_nothing_that_the_worker_need_not_wait_for(
    statement: str, banned: set[str]
) -> None:
    assert not banned & modules_loaded_by(statement)


@pytest.mark.thorough
@pytest.mark.parametrize("handler", HANDLERS)
def test_importing_a_handler_makes_no_aws_client(handler: str) -> None:
    refuse = (
        "import sys, botocore.client as c; "
        "c.ClientCreator.create_client = lambda *a, **k: sys.exit('a client was made')"
    )
    modules_loaded_by(f"{refuse}; import {handler}")
