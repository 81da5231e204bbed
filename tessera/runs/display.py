"""A run as it goes, on a terminal with a bar, elsewhere line by line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tessera.runs.executions import ENDED
from tessera.standing import Asking, Observer, Standing

STATES = {
    "GroupImages": "the manifest becomes pages of images",
    "LabelShards": "workers answer, page by page",
    "ConsolidateLabels": "answers become labels",
    "AskAgain": "would one answer more change anything?",
    "GroupUnsure": "yes: the unsure images go to one more worker",
    "Announce": "the training manifest is announced",
}
"""What happens in the states that a person wants to hear of."""

QUIET, QUIETEST = 2.0, 600.0
"""Seconds without a line in a log, and what they grow to while nothing happens."""

Say = Callable[[Standing], None]


def show_until_ended(observer: Observer, console: Console, *, as_json: bool = False) -> Standing:
    """The run's last standing, after every one before was shown."""
    pause = 0.3 if observer.cloud.endpoint else 5.0
    shown = json_lines() if as_json else bar(console) if console.is_terminal else log(console)
    with shown as say:
        while True:
            standing = observer.look()
            say(standing)
            if standing.status in ENDED:
                return standing
            time.sleep(pause)


@contextmanager
def json_lines() -> Iterator[Say]:
    """Says every look that differs from the one before as a line of JSON."""
    before: dict[str, Any] = {}

    def say(standing: Standing) -> None:
        nonlocal before
        now = asdict(standing)
        if now != before:
            before = now
            click.echo(json.dumps(now, ensure_ascii=False))

    yield say


@contextmanager
def bar(console: Console) -> Iterator[Say]:
    """Says each state on a line that stays, and draws below how far the answers are."""
    began, state = time.monotonic(), ""
    columns = (SpinnerColumn(), BarColumn(bar_width=12), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as drawn:
        task = drawn.add_task("", total=None)

        def say(standing: Standing) -> None:
            nonlocal state
            mark = f"{standing.state} {standing.round}"
            if standing.state in STATES and mark != state:
                state = mark
                console.print(entered(standing, time.monotonic() - began))
            needed = standing.asking.needed or None
            drawn.update(
                task, completed=standing.asking.answers, total=needed, description=line(standing)
            )

        yield say


@contextmanager
def log(console: Console) -> Iterator[Say]:
    """Says each state and each step of the answers on a line, and now and then that it waits."""
    began = said = time.monotonic()
    quiet, state, before = QUIET, "", ""

    def say(standing: Standing) -> None:
        nonlocal said, quiet, state, before
        now, mark = time.monotonic(), f"{standing.state} {standing.round}"
        text = line(standing)
        if standing.state in STATES and mark != state:
            state, before, said, quiet = mark, text, now, QUIET
            console.print(entered(standing, now - began))
        elif now - said >= (QUIET if text != before else quiet):
            quiet = QUIET if text != before else min(2 * quiet, QUIETEST)
            before, said = text, now
            console.print(f"[dim]{now - began:6.1f} s[/]  {text}")

    yield say


def entered(standing: Standing, seconds: float) -> str:
    """A line that says which state a run has entered.

    >>> entered(Standing("pets", "RUNNING", "AskAgain", 1), 2.5)
    '[dim]   2.5 s[/]  [bold]AskAgain         [/]  [dim]would one answer more change anything?[/]'
    """
    again = f"round {standing.round}: " if standing.state == "LabelShards" else ""
    return (
        f"[dim]{seconds:6.1f} s[/]  [bold]{standing.state:<17}[/]  "
        f"[dim]{again}{STATES[standing.state]}[/]"
    )


def line(standing: Standing) -> str:
    """How a run stands, on one line.

    >>> from tessera.standing import Asking
    >>> asking = Asking(10, 12, 20, 3, 4200.0, 0.05, 0.96)
    >>> line(Standing("pets", "RUNNING", "LabelShards", 2, 200, asking, confidence=0.97))
    '12 of 20 pages, 3 min left, 3 workers, 4,200 images/h, 96% agree, labels are 97% sure'
    """
    asking = standing.asking
    if not asking.needed:
        parts = [STATES.get(standing.state, standing.state)]
    else:
        parts = list(_asked(asking))
    if standing.confidence:
        parts.append(f"labels are {standing.confidence:.0%} sure")
    return ", ".join(parts)


def _asked(asking: Asking) -> Iterator[str]:
    """How far a round's jobs are; what matters most first, as a narrow screen cuts the rest."""
    yield f"{asking.answers:,} of {asking.needed:,} pages"
    if asking.hours_left is not None:
        yield f"{_time(asking.hours_left)} left"
    if asking.workers:
        yield f"{asking.workers:,} worker" + "s" * (asking.workers != 1)
        yield f"{asking.images_an_hour:,.0f} images/h"
    elif asking.answers < asking.needed:
        yield "waiting for workers"
    if asking.agreement is not None:
        yield f"{asking.agreement:.0%} agree"


def _time(hours: float) -> str:
    """Hours as a person says them.

    >>> _time(0.002), _time(0.5), _time(5.25), _time(60)
    ('7 s', '30 min', '5.2 h', '2.5 days')
    """
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
