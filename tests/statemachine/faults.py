"""List the faults that are tried, one a row, and how each run must end: the fault matrix.

The table in docs/operations.md is made of these rows and of the scenes of holding.py:
`python -m tests.statemachine.faults` writes it, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.statemachine.holding import SCENES, WHOLE, Scene

STATE_OF = {
    "group_images": "GroupImages",
    "open_job": "OpenJob",
    "close_job": "CloseJob",
    "embed_images": "EmbedImages",
    "consolidate_labels": "ConsolidateLabels",
    "serve_portal": "the portal's door",
}
"""Where each function is called."""


@dataclass(frozen=True)
class Fault:
    """One fault: which function, what happens to its next invocations, how the run ends."""

    function: str
    faults: tuple[str, ...]
    what: str
    ends: str = "whole, by a retry"
    error: str = ""
    seconds: int = 0
    """Timeout of the function, where it is to run out before the fault is over."""

    @property
    def name(self) -> str:
        """Return the row's name."""
        return f"{self.function}-{self.faults[0]}-{len(self.faults)}"

    @property
    def tries(self) -> int:
        """Return how often the function is called before the fault is over, or given up."""
        # a block is given up, and then the joining of what there is
        states = 2 if self.function == "embed_images" else 1
        return min(len(self.faults), TRIES * states)


LOST, TWICE = "nothing", "nothing"
IN_PART = "in part, and says so: answers are read where workers left them; a redrop closes the job"
"""End of a run whose job a service would not close."""
NO_MODEL = "whole, without a model, and says so"
"""End of a run whose pictures are not embedded."""
TRIES = 3
"""How often a state calls a function that fails."""
ALWAYS = 9
"""More often than that."""

_STATES = ("group_images", "close_job", "consolidate_labels")
_NAMED = {
    "group_images": "GroupingFailed",
    "close_job": "",
    "consolidate_labels": "ConsolidationFailed",
}

FAULTS = [
    *(Fault(name, ("throw",), "throws once") for name in _STATES),
    Fault("open_job", ("deny-1",), "throws once"),
    *(
        Fault(
            name,
            ("throw",) * ALWAYS,
            "throws every time",
            f"FAILED as `{_NAMED[name]}`; a redrop goes on from there" if _NAMED[name] else IN_PART,
            error=_NAMED[name],
        )
        for name in _STATES
    ),
    Fault(
        "open_job",
        ("deny-1",) * ALWAYS,
        "throws every time",
        "FAILED as `JobsRefused`; a redrop opens the job",
        error="JobsRefused",
    ),
    *(Fault(name, ("hang",), "runs out of time once", seconds=20) for name in _STATES),
    *(Fault(name, ("throw-after",), "throws after its last write") for name in _STATES),
    *(Fault(name, ("die-after",), "dies after its last write") for name in _STATES),
    *(Fault(name, ("die-writing-1",), "dies after its first write") for name in _STATES),
    *(Fault(name, ("die-writing-3",), "dies after its third write") for name in _STATES),
    *(
        Fault(
            name,
            ("slow-down-3",),
            "meets an S3 that refuses three requests",
            "whole: they are repeated",
        )
        for name in (*_STATES, "open_job")
    ),
    *(
        Fault("embed_images", (fault,), what)
        for fault, what in (
            ("throw", "throws once"),
            ("throw-after", "throws after its last write"),
            ("die-after", "dies after its last write"),
            ("die-writing-1", "dies after its first write"),
        )
    ),
    Fault("embed_images", ("throw",) * ALWAYS, "throws every time", NO_MODEL),
    Fault("embed_images", ("hang",), "runs out of time once", seconds=20),
    Fault(
        "embed_images",
        ("slow-down-3",),
        "meets an S3 that refuses three requests",
        "whole: they are repeated",
    ),
    Fault("serve_portal", ("throw", "throw"), "throws twice", "whole: the page asks again"),
    Fault("serve_portal", ("hang",), "runs out of time", "whole: the page asks again", seconds=15),
    Fault("serve_portal", ("die-after",) * 2, "dies after its write", "whole: the page asks again"),
    Fault(
        "serve_portal", ("die-writing-1",), "dies with the answer saved", "whole: the same answer"
    ),
]

THROTTLED = {
    "GroupImages": "FAILED as `GroupingFailed`; a redrop goes on from there",
    "OpenJob": "FAILED as `JobsRefused`; a redrop opens the job",
    "CloseJob": IN_PART,
    "EmbedImages": NO_MODEL,
    "ConsolidateLabels": "FAILED as `ConsolidationFailed`; a redrop goes on from there",
}
"""Ends of a run whose function is throttled for longer than it is retried: see cases.py."""

DUPLICATES = {
    "GroupImages": "at the same time: one execution owns the run, the other ends `AlreadyRunning`",
    "after the end": "the second ends `AlreadyRunning`",
}
"""Ends of the same drop where the first is not in one state alone."""

KILLS = {
    "GroupImages": "group_images",
    "OpenJob": "",
    "CloseJob": "close_job",
    "ConsolidateLabels": "consolidate_labels",
    "GroupUnsure": "group_images",
}
"""States in which the whole stack is killed at work, and the function that hangs there."""


def table() -> str:
    """Return the fault matrix in Markdown."""
    rows = [
        (STATE_OF[fault.function], f"function {fault.what}", fault.ends) for fault in FAULTS
    ] + [
        *(
            (
                state,
                "function is throttled for longer than it is tried",
                end,
            )
            for state, end in THROTTLED.items()
        ),
        *((state, "the same drop comes again", end) for state, end in DUPLICATES.items()),
        *((state, "the whole stack is killed (`kill -9`) at work", WHOLE) for state in KILLS),
        *_grouped("the same drop comes again", lambda scene: scene.second),
        *_grouped("the whole stack is killed (`kill -9`)", lambda scene: scene.redrop),
    ]
    head = (
        "| where | what happens | how the run ends | lost | asked twice |\n|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {where} | {what} | {end} | {LOST} | {TWICE} |\n" for where, what, end in rows
    )


def _grouped(what: str, end_of: Callable[[Scene], str]) -> list[tuple[str, str, str]]:
    """Return a row for each ending, with all the states whose scenes end so."""
    states: dict[str, list[str]] = {}
    for scene in SCENES:
        states.setdefault(end_of(scene), []).extend(scene.states)
    return [(", ".join(names), what, end) for end, names in states.items()]


PAGE = Path(__file__).parent.parent.parent / "docs" / "operations.md"
BEGIN, END = "<!-- faults: made by tests/statemachine/faults.py -->\n", "<!-- end of faults -->\n"


def page() -> str:
    """Return the page with the table in its place."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
