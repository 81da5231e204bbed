"""Count what makes code legible: names, docstrings, comments, lengths.

`python -m scripts.readability` prints the counts; tests/scripts/test_readability.py holds them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("functions", "tessera", "scripts")
TEST_FOLDERS = ("tests", "benchmarks", "events")

BANNED = frozenset({"said", "told", "shown", "found", "some", "there", "mind"})
"""Names that say nothing of what they hold; the noun of the domain takes their place."""

MAX_LINES = 40
"""Lines that a function may have, its docstring not counted: what fits on a screen."""

NOUN_PHRASE = re.compile(
    r"(the|a|an|what|whether|how|who|whose|where|which|when|why|that|this|these|those|it|its|"
    r"every|each|all|any|some|no|one|two|three|as|so|for|in|of|at|on|by|with|if|not|"
    r"everybody's|everything|nothing|anybody|same|many|more|most|\w+'s|\w+s')\b",
    re.IGNORECASE,
)
"""First words of a docstring that is no imperative sentence."""


class Function(NamedTuple):
    """A function's place, its lines without the docstring, and the docstring's first line."""

    place: str
    lines: int
    summary: str


class Counts(NamedTuple):
    """What one run counts over all files."""

    files: int
    code_lines: int
    comments: int
    banned: Counter[str]
    functions: list[Function]


def sources(*folders: str) -> Iterator[Path]:
    """Yield our Python files below some folders of the checkout, each once, links not followed."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(parent.is_symlink() for parent in path.parents):
                yield path


def bindings(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield every name that is bound: assigned, looped over, imported as, or a parameter."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def functions(path: Path, nodes: list[ast.AST]) -> Iterator[Function]:
    """Yield the functions and methods of a file."""
    for node in nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        docstring = ast.get_docstring(node, clean=False)
        if docstring is not None:
            lines -= docstring.count("\n") + 1
        summary = (docstring or "").strip().partition("\n")[0]
        yield Function(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines, summary)


def comment_lines(text: str) -> int:
    """Count the comments in a source text that speak to a reader, not to a tool."""
    return sum(
        token.type == tokenize.COMMENT and not re.match(r"#\s*(noqa|type:|ruff:)", token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
    )


def code_lines(text: str, nodes: list[ast.AST]) -> int:
    """Count the lines of a source text that hold code: no blank line, comment or docstring."""
    prose = set()
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(
        number not in prose and bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in lines
    )


@cache  # the tests count overlapping folders
def count_file(path: Path) -> Counts:
    """Count everything in one file."""
    text = path.read_text("utf-8")
    nodes = list(ast.walk(ast.parse(text)))  # once for all that is counted of them
    return Counts(
        files=1,
        code_lines=code_lines(text, nodes),
        comments=comment_lines(text),
        banned=Counter(name for name in bindings(nodes) if name in BANNED),
        functions=list(functions(path, nodes)),
    )


def count(*folders: str) -> Counts:
    """Count everything over the Python files below some folders."""
    counted = [count_file(path) for path in sources(*folders)]
    return Counts(
        files=len(counted),
        code_lines=sum(file.code_lines for file in counted),
        comments=sum(file.comments for file in counted),
        banned=sum((file.banned for file in counted), Counter()),
        functions=[function for file in counted for function in file.functions],
    )


def noun_phrases(counts: Counts) -> list[Function]:
    """Return the functions whose docstring does not begin with a verb, as far as words can tell."""
    return [f for f in counts.functions if f.summary and NOUN_PHRASE.match(f.summary)]


def long_functions(counts: Counts) -> list[Function]:
    """Return the functions of more than `MAX_LINES` lines."""
    return [function for function in counts.functions if function.lines > MAX_LINES]


def table() -> Iterator[str]:
    """Yield the counts as a Markdown table, production code and tests apart."""
    yield "| | production | tests, benchmarks |"
    yield "|---|---:|---:|"
    ours, tests = count(*FOLDERS), count(*TEST_FOLDERS)
    rows: dict[str, list[object]] = {
        "files": [c.files for c in (ours, tests)],
        "code lines": [c.code_lines for c in (ours, tests)],
        "comments a hundred code lines": [
            f"{100 * c.comments / c.code_lines:.1f}" for c in (ours, tests)
        ],
        "bindings of names that say nothing": [c.banned.total() for c in (ours, tests)],
        "docstrings that begin with a noun phrase": [
            f"{len(noun_phrases(c)) / max(1, sum(bool(f.summary) for f in c.functions)):.1%}"
            for c in (ours, tests)
        ],
        f"functions over {MAX_LINES} lines": [
            f"{len(long_functions(c))} of {len(c.functions)}" for c in (ours, tests)
        ],
    }
    for name, (production, testing) in rows.items():
        yield f"| {name} | {production} | {testing} |"


if __name__ == "__main__":
    print("\n".join(table()))
