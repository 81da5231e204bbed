"""What the tool shows: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

PAUSE = 2.0
"""Seconds after which a line says how far the work is, where no bar can be drawn."""

out = Console(highlight=False)
"""Results: what a pipe gets."""
aside = Console(stderr=True, highlight=False)
"""Progress and remarks: what a person sees."""


@contextmanager
def waiting(what: str, console: Console = aside) -> Iterator[None]:
    """A spinner beside what is waited for or, in a log, a line that says so."""
    if console.is_terminal:
        with console.status(f"{what} …"):
            yield
        return
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, console, over), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(what: str, console: Console, over: threading.Event) -> None:
    """Say that the waiting has begun and, less and less often, that it goes on."""
    console.print(f"[dim]{what} …[/]")
    pause = passed = PAUSE
    while not over.wait(pause):
        console.print(f"[dim]{what} … {passed:.0f} s[/]")
        pause *= 2
        passed += pause


Advance = Callable[[int], None]


Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(says: str) -> Callable[[Command], Command]:
    """The option that every command has: its result as one JSON document, its talk aside."""
    return click.option("--json", "as_json", is_flag=True, help=says)


def talk(as_json: bool) -> Console:
    """Where a command says how it goes: beside the result, or where only a document may be."""
    return aside if as_json else out


def mind(warnings: Iterable[str]) -> None:
    """Say what a person should know, beside the result."""
    for warning in warnings:
        aside.print(f"[yellow]Mind:[/] {escape(warning)}", soft_wrap=True)


def print_json(result: Any) -> None:
    """One JSON document on standard output, and nothing else there."""
    click.echo(json.dumps(result, ensure_ascii=False, indent=2, default=str))


@contextmanager
def progress(what: str, total: int | None, *, console: Console = aside) -> Iterator[Advance]:
    """A function to call with each step done, while a bar or, in a log, now and then a line."""
    if not console.is_terminal:
        with _lines(what, total, console) as advance:
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
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def _lines(what: str, total: int | None, console: Console) -> Iterator[Advance]:
    done, said = 0, time.monotonic()
    of = f" of {total:,}" if total is not None else ""

    def advance(steps: int) -> None:
        nonlocal done, said
        done += steps
        if time.monotonic() - said >= PAUSE:
            said = time.monotonic()
            console.print(f"{what}: {done:,}{of}")

    yield advance
