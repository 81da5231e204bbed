"""Output of the tool: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Span, Text

from tessera.plain_text import without_controls

PAUSE = 2.0
"""Seconds between two lines about how far the work is, where no bar can be drawn."""


WIDEST = 100_000
"""Columns of what has no edge. A table takes only what its cells need."""

TAG = re.compile(r"\[(bold|dim|green|red|yellow|/)\]")
"""Tags that style a text. Everything else in brackets, of a file's name or an error, is printed."""


class PlainConsole(Console):
    """Console on which no text acts but by a few tags, and which breaks no line of text.

    A terminal wraps what is too long for it, and a command or a name that is copied from there is
    in one piece; with a line break of our own it would be two. So tables have their whole width,
    too, on a terminal as in a pipe or a file.
    """

    @property
    def options(self) -> ConsoleOptions:
        """Return how renderables are laid out: a pipe or a file has no edge."""
        options = super().options
        return options if self.is_terminal else options.update(width=WIDEST)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print texts and tables on lines of any length, which the terminal wraps."""
        if soft_wrap is None:
            soft_wrap = all(isinstance(each, str) for each in objects)
        whole = (Whole(each) if isinstance(each, Table) else each for each in objects)
        super().print(*whole, soft_wrap=soft_wrap, **{"crop": False} | options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a text, in a line or in a cell of a table; only what `TAG` matches acts in it."""
        plain, spans = (text, []) if options.get("markup") is False else _styled(text)
        # Not by rich, for which names have tags, backslashes that escape them, and :cat: in them.
        rendered = super().render_str(plain, **options | {"markup": False, "emoji": False})
        rendered.spans.extend(spans)
        return rendered

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything with the control characters of its texts spelled out."""
        for segment in super().render(renderable, options):
            plain = segment.text if segment.control else without_controls(segment.text)
            yield segment if plain == segment.text else segment._replace(text=plain)


def _styled(text: str) -> tuple[str, list[Span]]:
    """Return a text without its tags, and what they style; a `[/]` too many stays.

    >>> _styled("[bold]a[b][/]c[/]")
    ('a[b]c[/]', [Span(0, 4, 'bold')])
    """
    plain, spans, begun = "", list[Span](), list[tuple[int, str]]()
    for number, piece in enumerate(TAG.split(text)):
        if number % 2 == 0:
            plain += piece
        elif piece != "/":
            begun.append((len(plain), piece))
        elif begun:
            start, style = begun.pop()
            spans.append(Span(start, len(plain), style))
        else:
            plain += "[/]"
    return plain, spans


class Whole:
    """Table in its whole width."""

    def __init__(self, table: Table) -> None:
        """Keep the table."""
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it as if there were no edge."""
        yield from console.render(self._table, options.update(width=WIDEST))


out = PlainConsole(highlight=False)
"""Results, which a pipe gets."""
aside = PlainConsole(stderr=True, highlight=False)
"""Progress and remarks, for a person."""

Advance = Callable[[int], None]
Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(help_text: str) -> Callable[[Command], Command]:
    """Give a command the option --json, with which its result is one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def out_option(command: Command) -> Command:
    """Give a command that labels the example the option --out, the folder for its results."""
    folder = click.Path(path_type=Path)
    option = click.option("--out", "folder", type=folder, default="out", help="Folder for results.")
    return option(command)


def console_for(as_json: bool) -> Console:
    """Return the console for a command's progress: aside if the result is a JSON document."""
    return aside if as_json else out


def warn(warnings: Iterable[str]) -> None:
    """Print warnings, beside the result."""
    for warning in warnings:
        aside.print(f"[yellow]Warning:[/] {warning}", soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural.

    >>> counted(1, "job"), counted(2000, "job"), counted(0, "box")
    ('1 job', '2,000 jobs', '0 boxes')
    """
    ending = "" if number == 1 else "es" if noun.endswith("x") else "s"
    return f"{number:,} {noun}{ending}"


class Row(NamedTuple):
    """Row of a list: its cells, of which the first names it, and remarks on it."""

    cells: Sequence[str]
    remarks: Sequence[str] = ()
    is_dim: bool = False


def print_rows(
    titles: Sequence[str], rows: Sequence[Row], *, right: str = "", console: Console = out
) -> None:
    """Print rows below their titles, each with its remarks below it.

    Where the terminal is too narrow for a row, each cell gets a line with its title, so that every
    name and command is in one piece. `right` is the title of a column of numbers.
    """
    cells = [[_on_one_line(cell) for cell in row.cells] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    is_wide = sum(widths) + 2 * (len(widths) - 1) <= console.width or not console.is_terminal

    def line(texts: Sequence[str]) -> str:
        blanks = (" " * (w - cell_len(text)) for text, w in zip(texts, widths, strict=True))
        padded = zip(titles, texts, blanks, strict=True)
        return "  ".join(f"{b}{t}" if title == right else f"{t}{b}" for title, t, b in padded)

    if is_wide:
        console.print(Text(line(titles).rstrip(), "bold"), soft_wrap=True)
    for row, texts in zip(rows, cells, strict=True):
        style = "dim" if row.is_dim else ""
        console.print(Text(line(texts).rstrip() if is_wide else texts[0], style), soft_wrap=True)
        named = zip(titles[1:], texts[1:], strict=True)
        width = max(map(len, titles[1:]), default=0)
        for title, text in named if not is_wide else ():
            if text:
                console.print(Text(f"  {title:<{width}}  {text}", style), soft_wrap=True)
        for remark in row.remarks:
            console.print(Text(f"  {_on_one_line(remark)}", "yellow"), soft_wrap=True)


def _on_one_line(text: str) -> str:
    return without_controls(text).replace("\n", "\\n")


def print_json(result: Any) -> None:
    """Print one JSON document on standard output, and nothing else there."""
    click.echo(json.dumps(result, ensure_ascii=False, indent=2, default=str))


@contextmanager
def waiting(activity: str, console: Console = aside) -> Iterator[None]:
    """Show a spinner while something is waited for, or lines where no spinner can be drawn."""
    if console.is_terminal:
        with console.status(Text(f"{activity} …")):
            yield
        return
    over = threading.Event()
    reporter = threading.Thread(target=_report_waiting, args=(activity, console, over), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        over.set()
        reporter.join()


def _report_waiting(activity: str, console: Console, over: threading.Event) -> None:
    """Print that the waiting has begun and, less and less often, that it goes on."""
    console.print(f"[dim]{activity} …[/]")
    pause = passed = PAUSE
    while not over.wait(pause):
        console.print(f"[dim]{activity} … {passed:.0f} s[/]")
        pause *= 2  # a log of a long wait stays short
        passed += pause


@contextmanager
def progress(unit: str, total: int | None, *, console: Console = aside) -> Iterator[Advance]:
    """Give a function to call with each number of units done; show a bar, or lines in a log."""
    if not console.is_terminal:
        with _progress_lines(unit, total, console) as advance:
            yield advance
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(unit, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def _progress_lines(unit: str, total: int | None, console: Console) -> Iterator[Advance]:
    done, reported, printed = 0, 0, time.monotonic()
    of_total = f" of {total:,}" if total is not None else ""

    def report() -> None:
        nonlocal reported, printed
        reported, printed = done, time.monotonic()
        console.print(f"{unit}: {done:,}{of_total}")

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        if time.monotonic() - printed >= PAUSE:
            report()

    yield advance
    if 0 < reported < done:  # else the last line would look as if the rest were missing
        report()
