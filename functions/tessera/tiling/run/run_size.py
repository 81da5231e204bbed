"""Tell how large a run may be, and refuse one whose labels could not be made.

A run with more answers than one function holds is labeled in parts, if its settings allow that:
`label_parts`. What the figures rest on: docs/limits.md.
"""

from __future__ import annotations

from math import ceil

from msgspec import UNSET

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.estimate import asked_again, expected_rounds
from tessera.tiling.method_names import DEFAULT_METHOD
from tessera.tiling.settings import Settings

ANSWER_BYTES = 80
"""Memory that a run takes an answer of one image in one piece: 55 to 65 bytes are measured
(benchmarks/RESULTS.md, how far one run can grow), and some are for answers in an odd form."""
BASE_MEGABYTES = 300
"""Memory of the function without a run: 190 MB are measured (benchmarks/RESULTS.md)."""
MOST_TOGETHER = 100_000_000
"""Answers that one piece may have, whatever the memory: 4 to 5 µs each are measured, and the
function has 900 s (benchmarks/RESULTS.md)."""
MODEL_BYTES, GUESS_BYTES = 400_000_000, 20
"""Memory of a run's model: the columns of the images that teach it and of a sample of them, and
that of a class of an image (docs/limits.md has what was measured)."""
SET_BYTES = 20
"""Memory of one of several labels of an image: 13 bytes are kept of each, and the rest is for the
consensus of one label at a time (docs/limits.md has what was measured)."""
ASKED_BYTES = 8
"""Memory of the labels that an answer's page asked, a bit each in an int64: kept of every answer
as soon as one page of a later round asks only some of them (`answers/table.py`)."""
MOST_MEGABYTES = 10_240
"""Memory that a function may have at most."""


def check_size(settings: Settings, lines: int, megabytes: int) -> None:
    """Raise SettingsInvalid if the run's labels could not be made when its answers are there.

    `megabytes` is the memory of the function that would make them in one piece. Asked before
    anybody is, as answers that nobody can use would have been paid for.
    """
    if (why := needs_one_piece(settings)) is None:
        return
    expected = expected_rounds(lines, 0, settings, asked_again(settings.gain))
    answers = ceil(sum(round_.answers for round_ in expected))
    fixed, a_line = BASE_MEGABYTES * 1_000_000, answers / max(lines, 1) * ANSWER_BYTES
    if settings.guesses is not UNSET:
        fixed, a_line = fixed + MODEL_BYTES, a_line + len(settings.classes) * GUESS_BYTES
    if settings.is_multi:
        a_line += len(settings.classes) * SET_BYTES
        if settings.max_answers > settings.answers_per_image:
            a_line += answers / max(lines, 1) * ASKED_BYTES
    need = ceil((fixed + a_line * lines) / 1_000_000)
    if need <= megabytes and answers <= MOST_TOGETHER:
        return
    most = min((megabytes * 1_000_000 - fixed) / a_line, MOST_TOGETHER * lines / answers)
    most = max(int(most) // 1000 * 1000, 0)  # a round number, as the figures above are
    raise SettingsInvalid(
        [
            f"{why} cannot be used for {lines:,} images: labels are then made in one piece, which "
            f"takes some {need:,} MB and {answers:,} answers, and the function ConsolidateLabels "
            f"has {megabytes:,} MB and time for {MOST_TOGETHER:,}. Cut the manifest into files of "
            f"{most:,} lines at most, leave {why} out{_or_larger(need, answers)}"
        ]
    )


def _or_larger(need: int, answers: int) -> str:
    """Return the parameter with which the stack would do, if it would with any."""
    if need > MOST_MEGABYTES or answers > MOST_TOGETHER:
        return ""
    return f", or deploy the stack with ConsolidationMemory={need}"


def needs_one_piece(settings: Settings) -> str | None:
    """Return the setting because of which a run cannot be labeled in parts, or None.

    Only the default method's consensus can be put together from parts, and no model learns in them.
    """
    if settings.guesses is not UNSET:
        return "guesses"
    if settings.is_multi:
        return f"task {settings.task}"
    return None if settings.method == DEFAULT_METHOD else f"method {settings.method}"
