"""Output of the tool: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console, ConsoleOptions
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tessera.plain_text import without_controls

PAUSE = 2.0
"""Seconds between two lines about how far the work is, where no bar can be drawn."""


WIDEST = 100_000
"""Columns of what has no edge. A table takes only what its cells need."""


class PlainConsole(Console):
    """Console on which no text acts but by rich's own markup, and which breaks no line of text.

    A terminal wraps what is too long for it, and a command that is copied from there is in one
    piece; with a line break of our own it would be two. Into a pipe or a file, tables have their
    whole width, too.
    """

    @property
    def options(self) -> ConsoleOptions:
        """Return how renderables are laid out: a pipe or a file has no edge."""
        options = super().options
        return options if self.is_terminal else options.update(width=WIDEST)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print texts on lines of any length, and everything else as wide as there is room."""
        if soft_wrap is None:
            soft_wrap = all(isinstance(each, str) for each in objects)
        options = {"crop": self.is_terminal} | options
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a text, in a line or in a cell of a table, with control characters spelled out."""
        return super().render_str(without_controls(text), **options)


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
        aside.print(f"[yellow]Warning:[/] {escape(warning)}", soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural.

    >>> counted(1, "job"), counted(2000, "job")
    ('1 job', '2,000 jobs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_json(result: Any) -> None:
    """Print one JSON document on standard output, and nothing else there."""
    click.echo(json.dumps(result, ensure_ascii=False, indent=2, default=str))


@contextmanager
def waiting(activity: str, console: Console = aside) -> Iterator[None]:
    """Show a spinner while something is waited for, or lines where no spinner can be drawn."""
    if console.is_terminal:
        with console.status(f"{activity} …"):
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
