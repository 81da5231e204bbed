"""What the tool prints where no bar can be drawn."""

from __future__ import annotations

import io
import math
import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from tessera.plain_text import without_controls
from tessera.runs.display import bar
from tessera.runs.status import RoundProgress, RunStatus
from tessera.screen import PlainConsole, Row, print_rows, progress, waiting


def test_a_log_has_lines_about_how_far_the_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessera.screen.PAUSE", 0.0)
    console = Console(record=True, width=80, force_terminal=False)

    with progress("pictures", 3, console=console) as advance:
        for _ in range(3):
            advance(1)
    monkeypatch.undo()
    with waiting("Deploying", console):
        pass

    assert console.export_text().splitlines() == [
        "pictures: 1 of 3", "pictures: 2 of 3", "pictures: 3 of 3", "Deploying …",
    ]  # fmt: skip


@pytest.mark.parametrize("pause", [0.0, math.inf])
def test_a_log_that_told_of_a_part_tells_of_the_rest_too(
    monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    console = Console(record=True, width=80, force_terminal=False)
    monkeypatch.setattr("tessera.screen.PAUSE", pause)

    with progress("pictures", 36, console=console) as advance:
        advance(14)
        monkeypatch.setattr("tessera.screen.PAUSE", math.inf)
        advance(22)

    lines = ["pictures: 14 of 36", "pictures: 36 of 36"]
    assert console.export_text().splitlines() == ([] if pause else lines)  # none if it was fast


@given(st.text(st.characters(max_codepoint=0x100)))
def test_no_text_acts_on_the_terminal(text: str) -> None:
    """Neither in a line nor in a table nor in an error; a key of S3 may hold any character."""
    file = io.StringIO()
    console = PlainConsole(file=file, width=80, force_terminal=False)
    table = Table()
    table.add_column("run")
    table.add_row(text)

    console.print(text, soft_wrap=True)
    console.print(table)
    written = file.getvalue() + without_controls(text)

    assert not [c for c in written if unicodedata.category(c) == "Cc" and c not in "\t\n"]


@given(
    st.lists(st.sampled_from([*"[]/:\\ ab@#=1", "[b]", "[/b]", "[Errno 28]", ":cat:"])).map("".join)
)
def test_a_name_with_brackets_is_printed_as_it_is(name: str) -> None:
    assume("[/]" not in name)
    file = io.StringIO()
    console = PlainConsole(file=file, width=80, color_system=None)
    console.print(f"[bold]Dropped[/]  s3://inbox/{name}/a.manifest [dim](new)[/]")
    assert file.getvalue() == f"Dropped  s3://inbox/{name}/a.manifest (new)\n"


@given(st.lists(st.sampled_from(["[bold]", "[red]", "[/]", *"[]/\\a"])).map("".join))
def test_no_name_is_a_fault(name: str) -> None:
    PlainConsole(file=io.StringIO(), width=80).print(f"[bold]{name}[/] ended")


@given(st.text())
def test_a_bar_shows_what_workers_wrote_and_follows_none_of_it(text: str) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, width=80, force_terminal=True, color_system=None)
    with bar(console) as show:
        progress = RoundProgress(10, 1, 20, 2, 100.0, flagged=1, reasons=(text,))
        show(RunStatus("pets", "RUNNING", "LabelShards", 1, 200, progress))
    of_rich = r"\x1b\[[0-9;?]*[A-Za-z]"
    written = re.sub(of_rich, "", file.getvalue())
    assert not [c for c in written if unicodedata.category(c) == "Cc" and c not in "\t\r\n"]


COMMAND = "tessera --port 4731 --home '/home/ann/my pictures/.tessera' watch pets-may-bfac8eb457c2"


@given(st.text("abc ", max_size=200), st.integers(20, 200), st.booleans())
def test_a_command_in_a_sentence_is_in_one_piece_at_any_width(
    before: str, width: int, terminal: bool
) -> None:
    file = io.StringIO()
    PlainConsole(file=file, width=width, force_terminal=terminal, color_system=None).print(
        f"{before}Watch it: {COMMAND} now"
    )
    assert COMMAND in file.getvalue()
    assert file.getvalue().count("\n") == 1


@given(st.lists(st.text("abc", min_size=1, max_size=150), min_size=1, max_size=5), st.booleans())
def test_a_table_has_every_cell_whole_and_a_line_each(cells: list[str], terminal: bool) -> None:
    file = io.StringIO()
    table = Table(box=None)
    for cell in cells:
        table.add_row(cell, cell)
    PlainConsole(file=file, width=60, force_terminal=terminal, color_system=None).print(table)
    lines = [line.split() for line in file.getvalue().splitlines() if line.strip()]
    assert lines == [[cell, cell] for cell in cells]
    assert max(map(len, file.getvalue().splitlines())) < 400  # no wider than the cells are


CELLS = st.text(st.sampled_from("ab猫é[]\x1b\n-"), min_size=1, max_size=60)


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=4),
    st.integers(20, 200),
    st.booleans(),
)
def test_what_a_list_has_is_in_one_piece_at_any_width(
    rows: list[tuple[str, ...]], width: int, terminal: bool
) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, width=width, force_terminal=terminal, color_system=None)
    listed = [Row(row[:3], [f"{row[3]} {COMMAND}"]) for row in rows]
    print_rows(("email", "worker", "since"), listed, console=console)

    lines = file.getvalue().splitlines()
    for *cells, _ in rows:
        for cell in cells:
            assert any(without_controls(cell).replace("\n", "\\n") in line for line in lines)
    assert sum(line.endswith(COMMAND) for line in lines) == len(rows)
    if not terminal:  # a line each, for grep and cut
        assert len(lines) == 1 + 2 * len(rows)
