"""Progress of a run: a bar on a terminal, lines in a log, documents for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tessera.runs.executions import ENDED
from tessera.runs.status import RoundProgress, RunObserver, RunStatus
from tessera.screen import counted

STATES = {
    "GroupImages": "grouping the images into pages",
    "LabelShards": "workers label the pages",
    "ConsolidateLabels": "turning answers into labels",
    "ConsolidateParts": "turning answers into labels, part by part",
    "AskAgain": "checking whether more answers would help",
    "GroupUnsure": "grouping uncertain images for one more worker",
    "Announce": "announcing the training manifest",
}
"""States that are shown, with what happens in them; the others take no time that one notices."""

PAUSE, PAUSE_ON_AWS = 0.3, 5.0
"""Seconds between two looks; on AWS each costs a few requests of an account's quota."""

QUIET, QUIETEST = 2.0, 600.0
"""Seconds without a line in a log, and what they grow to while nothing happens."""

Show = Callable[[RunStatus], None]


def show_until_ended(
    observer: RunObserver, console: Console, *, as_json: bool = False
) -> RunStatus:
    """Show the run's status again and again until it has ended; return the last one."""
    pause = PAUSE if observer.cloud.endpoint else PAUSE_ON_AWS
    display = json_lines() if as_json else bar(console) if console.is_terminal else log(console)
    with display as show:
        while True:
            status = observer.read()
            show(status)
            if status.status in ENDED:
                return status
            time.sleep(pause)


@contextmanager
def json_lines() -> Iterator[Show]:
    """Give a function that prints each status that differs from the last as a line of JSON."""
    printed: dict[str, Any] = {}

    def show(status: RunStatus) -> None:
        nonlocal printed
        facts = status.facts()
        if facts != printed:
            printed = facts
            click.echo(json.dumps(facts, ensure_ascii=False))

    yield show


@contextmanager
def bar(console: Console) -> Iterator[Show]:
    """Give a function that prints each new state, and below draws how far the answers are."""
    began, state, advised = time.monotonic(), "", ""
    text = TextColumn("{task.description}", markup=False)  # workers may have written a part of it
    columns = (SpinnerColumn(), BarColumn(bar_width=12), text)
    with Progress(*columns, console=console, transient=True) as drawn:
        task = drawn.add_task("", total=None)

        def show(status: RunStatus) -> None:
            nonlocal state, advised
            mark = f"{status.state} {status.round}"
            if status.state in STATES and mark != state:
                state = mark
                console.print(state_line(status, time.monotonic() - began))
            if (advice := "\n".join(remedies(status))) != advised:
                advised = advice
                console.print(advice, soft_wrap=True)  # the bar's line ends where the screen does
            progress = status.progress
            drawn.update(
                task,
                completed=progress.answers,
                total=progress.needed or None,
                description=status_line(status, with_remedies=False),
            )

        yield show


@contextmanager
def log(console: Console) -> Iterator[Show]:
    """Give a function that prints each new state, and the progress now and then."""
    began = printed = time.monotonic()
    quiet, state, before = QUIET, "", ""

    def show(status: RunStatus) -> None:
        nonlocal printed, quiet, state, before
        now, mark = time.monotonic(), f"{status.state} {status.round}"
        text = status_line(status)
        if status.state in STATES and mark != state:
            state, before, printed, quiet = mark, text, now, QUIET
            console.print(state_line(status, now - began))
        elif now - printed >= (QUIET if text != before else quiet):
            # a log that waits for workers over night does not fill up
            quiet = QUIET if text != before else min(2 * quiet, QUIETEST)
            before, printed = text, now
            console.print(f"[dim]{now - began:6.1f} s[/]  {text}")

    yield show


def state_line(status: RunStatus, seconds: float) -> str:
    """Return a line about the state that a run has entered.

    >>> state_line(RunStatus("pets", "RUNNING", "Announce", 1), 2.5)
    '[dim]   2.5 s[/]  [bold]Announce         [/]  [dim]announcing the training manifest[/]'
    """
    which = f"round {status.round}: " if status.state == "LabelShards" else ""
    return (
        f"[dim]{seconds:6.1f} s[/]  [bold]{status.state:<17}[/]  "
        f"[dim]{which}{STATES[status.state]}[/]"
    )


def remedies(status: RunStatus) -> Iterator[str]:
    """Yield what a person should do for a run that goes on, each a sentence with commands."""
    if status.status in ENDED:
        return
    if status.trouble:
        yield status.trouble
    if status.progress.short:
        yield f"{_short_of_people(status.progress)}: {status.progress.remedy}"


def _short_of_people(progress: RoundProgress) -> str:
    """Say how many pages nobody is left for."""
    need = "needs" if progress.short == 1 else "need"
    return f"{counted(progress.short, 'page')} {need} another person"


def status_line(status: RunStatus, *, with_remedies: bool = True) -> str:
    """Return a run's status on one line, with what to do about it.

    >>> progress = RoundProgress(10, 12, 20, 3, 4200.0, 0.05, 0.96)
    >>> status_line(RunStatus("pets", "RUNNING", "LabelShards", 2, 200, progress, confidence=0.97))
    '12 of 20 pages, 3 min left, 3 workers, 4,200 images/h, 96% agreement, 97% confidence'
    """
    progress = status.progress
    if with_remedies and status.trouble and status.status not in ENDED:
        return status.trouble
    if progress.needed:
        parts = list(_progress_parts(progress, progress.remedy if with_remedies else ""))
    else:
        parts = [STATES.get(status.state, status.state)]
    if status.confidence:
        parts.append(f"{status.confidence:.0%} confidence")
    return ", ".join(parts)


def _progress_parts(progress: RoundProgress, remedy: str) -> Iterator[str]:
    """Describe a round's progress; what matters most comes first, for narrow screens."""
    yield f"{progress.answers:,} of {progress.needed:,} pages"
    if progress.hours_left is not None:
        yield f"{_duration(progress.hours_left)} left"
    if progress.workers:
        yield counted(progress.workers, "worker")
        yield f"{progress.images_an_hour:,.0f} images/h"
    elif progress.answers < progress.needed:
        yield "waiting for workers"
    if progress.for_anyone_at is not None:
        at = datetime.fromtimestamp(progress.for_anyone_at).astimezone()
        yield f"pages go to the likeliest to be right first, to anyone from {at:%H:%M}"
    if progress.short:
        yield _short_of_people(progress) + (f" ({remedy})" if remedy else "")
    if progress.tried:
        yield f"{progress.qualified} of {progress.tried} qualified"
    if progress.flagged:
        yield flagged_line(progress.flagged, progress.reasons)
    if progress.agreement is not None:
        yield f"{progress.agreement:.0%} agreement"
    if progress.embedded < progress.blocks:
        yield f"{progress.embedded} of {counted(progress.blocks, 'block')} of pictures embedded"


def flagged_line(pictures: int, reasons: Iterable[str]) -> str:
    """Return how many pictures are flagged, and why.

    >>> flagged_line(3, ["wrong question", "two things in it"])
    '3 pictures flagged: wrong question; two things in it'
    """
    return f"{counted(pictures, 'picture')} flagged: {'; '.join(reasons)}"


def _duration(hours: float) -> str:
    """Return hours in the unit that a person would use.

    >>> _duration(0.002), _duration(0.5), _duration(5.25), _duration(60)
    ('7 s', '30 min', '5.2 h', '2.5 days')
    """
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
